"""An agent that does with its conversations what the message says, and the small things tests of them need."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar

from pydantic import BaseModel

from aos.agents import Agent, NoState, Turn, on
from aos.agents.conversations import ConversationLimits
from aos.kernel.errors import RetryableError
from tests.harness import MemorySystem

NUMBERS = count()


class Say(BaseModel):
    """What to append, how often, and to which conversation."""

    content: str = ""
    role: Any = "user"
    who: str | None = None
    labels: list[str] = []
    meta: dict[str, Any] = {}
    to: str | None = None
    times: int = 1
    fail: bool = False


class Change(BaseModel):
    number: int
    content: str | None = None


class Chat(Agent[NoState]):
    type = "chat"
    seen: ClassVar[dict[str, Any]] = {}

    def __init__(self, limits: ConversationLimits | None = None) -> None:
        super().__init__()
        self.conversation_limits = limits or ConversationLimits()

    @on("say")
    async def say(self, turn: Turn, _: NoState, say: Say) -> None:
        for _number in range(say.times):
            conversation = await self.conversation(turn, say.to)
            content = say.content.replace("#", str(len(conversation)))
            conversation.append(content, role=say.role, who=say.who, labels=say.labels, meta=say.meta)
        if say.fail and turn.attempt == 1:
            raise RetryableError("Not now. Try again.")

    @on("change")
    async def change(self, turn: Turn, _: NoState, change: Change) -> None:
        conversation = await self.conversation(turn)
        if change.content is None:
            conversation.redact(change.number, "private")
        else:
            conversation.correct(change.number, change.content)

    @on("look")
    async def look(self, turn: Turn, _: NoState, to: str | None) -> None:
        conversation = await self.conversation(turn, to)
        self.seen.clear()
        self.seen.update(
            window=[entry.content for entry in conversation.window],
            messages=[(m.role, m.text) for m in conversation.messages(system="Be kind.")],
            summary=conversation.summary,
            newest=[entry.content for entry in await conversation.page(limit=3)],
            labels=sorted(turn.labels),
            length=len(conversation),
        )


def world_of(limits: ConversationLimits | None = None) -> MemorySystem:
    return MemorySystem(Chat(limits))


async def tell(world: MemorySystem, message_type: str, data: Any = None, **fields: Any) -> None:
    await world.system.directory.send("chat", message_type, data, message_id=f"m{next(NUMBERS)}", **fields)
    await world.settle(until=timedelta())


async def say(world: MemorySystem, content: str, **fields: Any) -> None:
    await tell(world, "say", {"content": content, **fields})


async def look(world: MemorySystem, to: str | None = None) -> dict[str, Any]:
    await tell(world, "look", to)
    return Chat.seen


async def record(world: MemorySystem, id: str = "main") -> dict[str, Any]:
    """A conversation as it is in the agent's state."""
    head = await world.system.kernel.heads.read("chat")
    assert head is not None
    kept: dict[str, Any] = json.loads(head.state)["aos.conversations"]["open"][id]
    return kept
