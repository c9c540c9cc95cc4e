"""A system with an agent that asks people, for the tests of this folder."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, Turn, on, on_event, on_reply
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.human.asking import ask_people, withdraw_request
from aos.workflows.human.request import ASK, TOPIC, GivenAnswer, HumanRequest
from tests.harness import MemorySystem

KEY = "k" * 40


class Told(BaseModel):
    replies: list[Any] = []
    errors: list[Any] = []
    events: list[Any] = []


class Asker(Agent[Told]):
    """Asks what it is told to ask, and keeps what comes back."""

    type = "asker"

    @on("ask")
    async def ask(self, turn: Turn, state: Told, data: dict[str, Any]) -> None:
        if data.pop("raw", False):
            turn.ask(f"request:{data.pop('to')}", ASK, data, note="asked")
        else:
            ask_people(turn, data.pop("to"), HumanRequest.model_validate(data), note="asked")

    @on("withdraw")
    async def withdraw(self, turn: Turn, state: Told, to: str) -> None:
        withdraw_request(turn, to, "done otherwise")

    @on("forge")
    async def forge(self, turn: Turn, state: Told, data: dict[str, Any]) -> None:
        turn.send(f"request:{data.pop('to')}", data.pop("type"), data)

    @on_reply(ASK)
    async def told(self, turn: Turn, state: Told, answer: dict[str, Any]) -> None:
        (state.errors if turn.message.type == ERROR_TYPE else state.replies).append(answer)


class Channel(Agent[Told]):
    """Where a chat platform would stand."""

    type = "channel"

    @on_event(TOPIC)
    async def heard(self, turn: Turn, state: Told, event: dict[str, Any]) -> None:
        state.events.append({"type": turn.message.type, **event})


class Office(MemorySystem):
    """Asks through the asker, and answers as people do."""

    def __init__(self, *agents: Agent[Any], **options: Any) -> None:
        super().__init__(Asker(), Channel(), *agents, secrets={"AOS_LINK_KEY": KEY}, **options)
        self.people = self.system.people

    async def ask(self, to: str = "r1", **request: Any) -> None:
        """Ask, and let a second pass."""
        await self.system.directory.send("asker", "ask", {"to": to, **request})
        await self.settle(until=timedelta(seconds=1))

    async def answer(self, request_id: str = "r1", *, by: str = "anna", **fields: Any) -> None:
        """Answer, have it delivered, and raise what the person would be told."""
        given = GivenAnswer(by=by, **fields)
        await self.people.answer(request_id, given)
        await self.settle(until=timedelta(seconds=1))

    async def told(self) -> Any:
        return await self.state("asker")

    async def events(self) -> list[str]:
        return [event["type"] for event in (await self.state("channel"))["events"]]
