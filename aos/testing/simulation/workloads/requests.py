"""Clients ask servers that answer, fail, are late or do not exist: each request has exactly one outcome."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import RetryableError, TerminalError
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import ERROR_TYPE, Turn
from aos.testing.simulation.workload import Actor, Ending, Workload, elsewhere

_CLIENTS = 3
_QUESTIONS = 6
_WAYS = ("answer", "answer", "fail", "dawdle", "retry", "nobody")
_REFUSALS = ("deadline_exceeded", "terminal_error", "unknown_agent_type")


class Requests(Workload):
    name = "requests"
    max_deliveries = 5
    checks = ("one outcome for each request", "no request left open")

    def actors(self) -> list[Actor]:
        policy = AgentPolicy(retry=RetryPolicy(max_attempts=30, max_delay=20))
        return [
            Actor("client", self._ask, policy, {"outcomes": {}, "asked": []}),
            Actor("server", self._answer, policy, {"answers": 0}),
        ]

    def letters(self) -> list[list[Message]]:
        return [
            [
                self.message(
                    f"person{client}",
                    number,
                    f"client:{client}",
                    "go",
                    {"number": number, "way": self.chance.choice(_WAYS)},
                )
                for number in range(_QUESTIONS)
            ]
            for client in range(_CLIENTS)
        ]

    async def _ask(self, turn: Turn) -> None:
        if self.chance.random() < 0.05:
            raise RetryableError("Not now.")
        if turn.request is not None:
            outcome = turn.message.data["code"] if turn.message.type == ERROR_TYPE else turn.message.data
            turn.state["outcomes"].setdefault(str(turn.request.note), []).append(outcome)
            return
        data = turn.message.data
        turn.state["asked"].append(data["number"])
        to = "nobody:1" if data["way"] == "nobody" else f"server:{self.chance.randint(0, 1)}"
        turn.ask(to, "square", data, note=data["number"], timeout=timedelta(seconds=self.chance.choice((15, 60))))

    async def _answer(self, turn: Turn) -> None:
        way = turn.message.data["way"]
        if way == "fail":
            raise TerminalError("Never.")
        if way == "retry" and turn.attempt == 1:
            raise RetryableError("Once more.")
        if way == "dawdle":
            for _ in range(30):
                await elsewhere("outside.think")
        turn.state["answers"] += 1
        turn.reply(turn.message.data["number"] ** 2)

    def acceptable(self, letter: DeadLetter) -> bool:
        return letter.error["code"] in _REFUSALS and letter.message is not None and letter.message["type"] == "square"

    def check(self, ending: Ending) -> Iterator[str]:
        for client in range(_CLIENTS):
            state = ending.states.get(f"client:{client}", {"asked": [], "outcomes": {}})
            if sorted(state["asked"]) != list(range(_QUESTIONS)):
                yield f"client {client} asked {state['asked']}"
            for number in range(_QUESTIONS):
                outcomes = state["outcomes"].get(str(number), [])
                if len(outcomes) != 1:
                    yield f"request {number} of client {client} came to {outcomes}"
                elif not isinstance(outcomes[0], str) and outcomes[0] != number**2:
                    yield f"request {number} of client {client} was answered with {outcomes[0]}"
        yield from (f"{agent} has requests open" for agent in ending.waiting)
