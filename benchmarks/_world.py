"""A kernel over memory, with one agent type of about 1 KB that holds a conversation: what a turn costs by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.kernel import Delivery, Kernel
from aos.kernel.message import Message
from aos.kernel.meter import count
from aos.kernel.policy import AgentPolicy
from aos.kernel.ports import OutboundMessage
from aos.kernel.turn import Turn
from aos.testing import MemoryBlobStore, MemoryTableStore

REMEMBERED = 20
DURABLE = "nothing: stores in memory, as strict as the real ones"


class Talker:
    """Remembers the last messages of a conversation, and passes each message on."""

    type = "talker"
    policy = AgentPolicy()

    def initial_state(self) -> dict[str, Any]:
        return {"said": 0, "conversation": []}

    async def handle(self, turn: Turn) -> None:
        turn.state["said"] += 1
        turn.state["conversation"] = [*turn.state["conversation"][1 - REMEMBERED :], turn.message.data]
        turn.send("talker:next", "said", turn.message.data)


class OneType:
    """A catalogue of one type."""

    def __init__(self) -> None:
        self._talker = Talker()

    def behaviour(self, agent_type: str) -> Talker | None:
        return self._talker if agent_type == "talker" else None

    def subscribers(self, event: Message) -> Iterable[str]:  # noqa: ARG002  # the port's signature
        return ()


class CountingBus:
    """Takes messages and counts them, as the real one does."""

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        count(bus_sends=len(messages), bytes_written=sum(len(message.body) for message in messages))


def kernel() -> Kernel:
    return Kernel(
        OneType(),
        tables=MemoryTableStore(),
        blobs=MemoryBlobStore(),
        bus=CountingBus(),
        clock=SystemClock(),
        ids=RandomIds(),
    )


def deliveries(agent: str, first: int, count: int) -> list[Delivery]:
    """Messages for one agent, each with an id of its own and 40 characters to say."""
    now = datetime.now(UTC)
    return [
        Delivery(
            Message(
                id=f"m{number:08d}", source="/bench", type="said", time=now, to=agent, data=f"{number:08d}" + "." * 32
            ).encode()
        )
        for number in range(first, first + count)
    ]
