"""Tells a caller's own system how something ended: a signed webhook, tried again for hours, then a dead letter.

There is one agent for each caller's piece of work, `callback:<id>`, so that a receiver that is down delays nobody.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, AgentPolicy, RetryPolicy, Turn, on
from aos.tools.webhook import Webhooks

CALLBACK_TYPE = "callback"
CALLBACK_SEND = "callback.send"
_TRIES = AgentPolicy(retry=RetryPolicy(max_attempts=14, first_delay=5.0, factor=3.0, max_delay=4 * 3_600.0))


class Callback(BaseModel):
    """What is told, and to whom: `event` names it, `data` is what it is about."""

    url: str
    event: str
    data: Any


class CallbackState(BaseModel):
    """How many callbacks arrived, and what the receiver answered to the last."""

    delivered: int = 0
    status: int | None = None


class CallbackAgent(Agent[CallbackState]):
    """Posts callbacks.

    Args:
        webhooks: How they are signed, and where they may go.
    """

    type = CALLBACK_TYPE
    name = "Callback"
    purpose = "Tell other systems how their work ended"
    listed = False
    policy = _TRIES

    def __init__(self, webhooks: Webhooks) -> None:
        super().__init__()
        self._webhooks = webhooks

    @on(CALLBACK_SEND)
    async def send(self, turn: Turn, state: CallbackState, callback: Callback) -> None:
        body = {"type": callback.event, "timestamp": turn.message.time.isoformat(), "data": callback.data}
        event_id = turn.idempotency_key("callback")

        async def post() -> int:
            return await self._webhooks.post(callback.url, event_id, body, at=turn.now)

        state.status = await turn.step("post", post)
        state.delivered += 1
        turn.record("callback.delivered", event=callback.event, status=state.status, attempt=turn.attempt)
