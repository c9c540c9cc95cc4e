"""How an agent asks people from its turn, and takes back what it asked."""

from __future__ import annotations

from typing import Any

from aos.kernel.turn import Turn
from aos.workflows.human.request import ASK, WITHDRAW, HumanRequest, Withdrawal, request_address


def ask_people(turn: Turn, request_id: str, request: HumanRequest, *, note: Any = None) -> str:
    """Ask people. The reply to `human.ask` holds a `HumanAnswer`, or an `aos.error` that says why there is none.

    Args:
        turn: That of the agent which asks.
        request_id: A name for the request, used once: `<run>.<step>.<attempt>`.
        request: What is asked; it ends by itself, so no time-out is needed.
        note: Handed back with the reply.

    Returns:
        The id of the message, which the reply refers to.
    """
    return turn.ask(request_address(request_id), ASK, request.model_dump(mode="json", by_alias=True), note=note)


def withdraw_request(turn: Turn, request_id: str, reason: str) -> str:
    """Take back what this agent asked; what is closed stays as it is. Its wait ends with `request_withdrawn`."""
    return turn.send(request_address(request_id), WITHDRAW, Withdrawal(reason=reason).model_dump())
