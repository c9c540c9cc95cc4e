"""The agent behind a pattern, `pattern:<name>`: it collects events, and tells when all that it waits for have come."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aos.agents import Agent, Turn, on, on_event
from aos.kernel.message import format_time
from aos.workflows.definition.expressions import ExpressionError, evaluate
from aos.workflows.definition.templates import expression_of
from aos.workflows.events.condition import shown_event
from aos.workflows.events.declared_events import DeclaredEvents
from aos.workflows.events.hops import hop
from aos.workflows.events.partial_match import PartialMatch
from aos.workflows.events.partial_matches import EXPIRE, MOST_EVENTS_KEPT, PartialMatches
from aos.workflows.events.pattern import PATTERN_TYPE, Pattern
from aos.workflows.events.pattern_state import PatternState

MATCHED = "pattern.matched"
_MOST_DATA = 1_000
"""Bytes of an event's data that are kept with it; of more only that there was more."""


class PatternAgent(Agent[PatternState]):
    """Finds the matches of one pattern.

    Args:
        declared: Gives the pattern of a name.
        most: Events that may be kept.
    """

    type = PATTERN_TYPE
    name = "Pattern"
    purpose = "Tell when events have come that mean something together"
    listed = False

    def __init__(self, declared: DeclaredEvents, *, most: int = MOST_EVENTS_KEPT) -> None:
        super().__init__()
        self._declared = declared
        self._most = most

    @on_event("#")
    async def happened(self, turn: Turn, state: PatternState, _: Any) -> None:
        pattern = self._declared.pattern(turn.agent.partition(":")[2])
        if pattern is None:
            return
        event = shown_event(turn.message)
        try:
            met = [n for n, each in enumerate(pattern.conditions) if each.concerns(turn.message) and each.holds(event)]
            key = evaluate(expression_of(pattern.key), {"event": event}, where="key") if pattern.key and met else None
        except ExpressionError as error:
            state.unreadable += 1
            turn.record("pattern.unreadable", event=event["id"], why=error.message)
            return
        if met:
            state.seen += 1
            await self._collect(turn, state, pattern, key, met)

    @on(EXPIRE)
    async def expire(self, turn: Turn, state: PatternState, _: Any) -> None:
        await PartialMatches(turn, state, self._most).expire()

    async def _collect(self, turn: Turn, state: PatternState, pattern: Pattern, key: Any, met: list[int]) -> None:
        matches = PartialMatches(turn, state, self._most)
        before = await matches.get(key)
        # Clocks differ: an event from the future would make all that is there look old.
        moment = min(turn.message.time, turn.now)
        if before is not None and before.digest == pattern.digest:
            partial = before.model_copy(deep=True)
        else:
            partial = PartialMatch(digest=pattern.digest, key=key, expires=turn.now)
        if partial.is_quiet(moment):
            state.debounced += 1
            return
        partial.expires = turn.now + pattern.window
        found = partial.take(pattern, _kept(turn, moment), met)
        if found is not None:
            partial.quiet_until = moment + pattern.debounce
            partial.expires = turn.now + pattern.debounce
            await self._matched(turn, state, pattern, key, found)
        await matches.keep(before, partial)

    async def _matched(
        self, turn: Turn, state: PatternState, pattern: Pattern, key: Any, found: list[dict[str, Any]]
    ) -> None:
        turn.label(*{label for event in found for label in event["labels"]})
        hop(turn)
        state.matches += 1
        events = [{name: part for name, part in event.items() if name != "labels"} for event in found]
        match = {"pattern": pattern.name, "key": key, "events": events, "at": format_time(turn.now)}
        turn.record(MATCHED, key=key, events=[event["id"] for event in events])
        turn.publish(pattern.topic, MATCHED, match)
        for action in pattern.then:
            await action.do(turn, match, match, self._declared.start)


def _kept(turn: Turn, moment: datetime) -> dict[str, Any]:
    """An event as it is kept: small, and with the labels that a match passes on."""
    event = {**shown_event(turn.message), "time": format_time(moment), "labels": sorted(turn.labels)}
    if len(json.dumps(event["data"], ensure_ascii=False)) > _MOST_DATA:
        return {**event, "data": None, "too_large": True}
    return event
