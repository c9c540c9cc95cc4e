"""Agents set, move and cancel reminders: each that is in force arrives once, no other ever does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aos.kernel.errors import RetryableError
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import Turn
from aos.testing.simulation.workload import Actor, Ending, Workload

_AGENTS = 3
_ORDERS = 10


class Reminders(Workload):
    name = "reminders"
    max_deliveries = 5
    checks = ("each reminder in force came once", "no other reminder came")

    def actors(self) -> list[Actor]:
        policy = AgentPolicy(retry=RetryPolicy(max_attempts=30, max_delay=20))
        return [Actor("diary", self._act, policy, {"armed": {}, "came": [], "wrong": [], "due": []})]

    def letters(self) -> list[list[Message]]:
        return [[self._order(agent, number) for number in range(_ORDERS)] for agent in range(_AGENTS)]

    def _order(self, agent: int, number: int) -> Message:
        what = self.chance.choice(("set", "set", "set", "cancel"))
        data = {"name": self.chance.choice("abc"), "number": number, "after": self.chance.choice((0, 2, 30, 400))}
        return self.message(f"person{agent}", number, f"diary:{agent}", what, data)

    async def _act(self, turn: Turn) -> None:
        data, state = turn.message.data, turn.state
        if self.chance.random() < 0.07:
            raise RetryableError("Not now.")
        name = data["name"]
        if turn.message.type == "remember":
            expected = state["armed"].pop(name, None)
            state["came" if expected == data["number"] else "wrong"].append(data["number"])
            return
        replaced = state["armed"].pop(name, None)
        if replaced is not None:
            state["due"].remove(replaced)
        if turn.message.type == "cancel":
            turn.forget(name)
            return
        turn.remind(name, "remember", data, after=timedelta(seconds=data["after"]))
        state["armed"][name] = data["number"]
        state["due"].append(data["number"])

    def check(self, ending: Ending) -> Iterator[str]:
        for agent, state in ending.states.items():
            if state["armed"]:
                yield f"{agent} still waits for {state['armed']}"
            if sorted(state["came"]) != sorted(state["due"]):
                yield f"{agent} was reminded of {state['came']} and should have been of {state['due']}"
            if state["wrong"]:
                yield f"{agent} was reminded of {state['wrong']}, which it had cancelled or moved"
