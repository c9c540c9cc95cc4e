"""Finds rules and patterns that lead to each other in a circle, as far as their declarations tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aos.agents.topics import matches
from aos.workflows.definition.graph import cycle_in
from aos.workflows.events.action import Action
from aos.workflows.events.pattern import Pattern
from aos.workflows.events.rule import Rule


def circle_among(rules: Sequence[Rule], patterns: Sequence[Pattern]) -> list[str]:
    """Names that lead from one to the next, the first again at the end; empty where there is no circle.

    What an agent publishes because of an action is known only where the action says what it `leads_to`.
    """
    names = [*(rule.address for rule in rules), *(pattern.address for pattern in patterns)]
    wanted = [
        *([rule.trigger.event] for rule in rules),
        *([condition.event for condition in pattern.conditions] for pattern in patterns),
    ]
    given = [
        *(_events(rule.actions) for rule in rules),
        *([pattern.topic, *_events(pattern.then)] for pattern in patterns),
    ]
    reached = [
        [other for other, events in enumerate(wanted) if _meet(events, topics) and _may_lead(names, place, other)]
        for place, topics in enumerate(given)
    ]
    return [names[place] for place in cycle_in(reached)]


def _may_lead(names: Sequence[str], place: int, other: int) -> bool:
    """A pattern takes no part in its own matches."""
    return place != other or not names[place].startswith("pattern:")


def _events(actions: Iterable[Action]) -> list[str]:
    found: list[str] = []
    for action in actions:
        found += action.topics
        if action.publish is not None:
            found.append(action.action)
    return found


def _meet(events: Iterable[str], topics: Iterable[str]) -> bool:
    return any(matches(event, topic) for event in events for topic in topics)
