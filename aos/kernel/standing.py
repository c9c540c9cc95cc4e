"""How an agent stands with its operator: whether it may work, who said otherwise, and why.

The standing is part of the head, so an order takes effect by the ETag that guards every turn, and costs a turn nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from aos.kernel.message import Message

State = Literal["open", "paused", "quarantined", "draining", "terminated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The order in force.

    Attributes:
        state: `open` agents work. `paused` and `quarantined` ones have their mail put aside; `draining` ones finish
            what they began and have new mail put aside; what reaches a `terminated` one is a dead letter.
        event: What was ordered: `pause`, `resume`.
        reason: Why.
        by: Who gave the order.
        since: When (RFC 3339).
        scope: Whom it was given to: empty for the one agent, `type:<type>`, or `team:<name>`.
    """

    state: State = "open"
    event: str = ""
    reason: str = ""
    by: str = ""
    since: str = ""
    scope: str = ""

    def admits(self, message: Message, agent: str) -> bool:
        """Whether `agent` may handle the message now."""
        if self.state == "draining":
            return message.is_reply or message.source == agent or message.attempt > 1
        return self.state == "open"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


OPEN = Standing()
"""The standing of an agent that no order was given to."""


def ordered(before: Standing, after: Standing) -> dict[str, str]:
    """An order as the journal keeps it."""
    told = {name: value for name, value in after.to_json().items() if name != "state"}
    return {"from": before.state, "to": after.state, **told}
