"""The agent behind a rule, `rule:<name>`: each event it is for leads to each of its actions, once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, Turn, on_event
from aos.workflows.definition.expressions import ExpressionError
from aos.workflows.events.condition import shown_event
from aos.workflows.events.declared_events import DeclaredEvents
from aos.workflows.events.hops import hop
from aos.workflows.events.rule import RULE_TYPE


class RuleState(BaseModel):
    """How often a rule was followed, and how often an event could not be told of."""

    followed: int = 0
    unreadable: int = 0


class RuleAgent(Agent[RuleState]):
    """Follows one rule.

    Args:
        declared: Gives the rule of a name.
    """

    type = RULE_TYPE
    name = "Rule"
    purpose = "Let an event lead to what it should"
    listed = False

    def __init__(self, declared: DeclaredEvents) -> None:
        super().__init__()
        self._declared = declared

    @on_event("#")
    async def happened(self, turn: Turn, state: RuleState, _: Any) -> None:
        rule = self._declared.rule(turn.agent.partition(":")[2])
        if rule is None:
            return
        event = shown_event(turn.message)
        try:
            if not rule.trigger.holds(event):
                return
        except ExpressionError as error:
            state.unreadable += 1
            turn.record("rule.unreadable", event=event["id"], why=error.message)
            return
        hop(turn)
        for action in rule.actions:
            await action.do(turn, {"event": event}, event, self._declared.start)
        state.followed += 1
        turn.record("rule.followed", event=event["id"], actions=[action.action for action in rule.actions])
