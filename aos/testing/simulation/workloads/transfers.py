"""Money moves between accounts: the total stays the same, nobody owes, each transfer is applied once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import InvalidInput, RetryableError
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import Turn
from aos.testing.simulation.workload import Actor, Ending, Workload, elsewhere

_ACCOUNTS = 4
_OPENING = 100
_SENDERS = 3
_TRANSFERS = 10


class Transfers(Workload):
    name = "transfers"
    max_deliveries = 4
    checks: ClassVar[tuple[str, ...]] = (
        "the total is conserved",
        "no balance is negative",
        "each transfer applied once",
    )

    def actors(self) -> list[Actor]:
        policy = AgentPolicy(retry=RetryPolicy(max_attempts=30, max_delay=20))
        return [Actor("account", self._act, policy, {"balance": _OPENING, "out": [], "in": [], "refused": []})]

    def letters(self) -> list[list[Message]]:
        return [[self._transfer(f"bank{sender}", number) for number in range(_TRANSFERS)] for sender in range(_SENDERS)]

    def _transfer(self, sender: str, number: int) -> Message:
        source, target = self.chance.sample(range(_ACCOUNTS), 2)
        amount = self.chance.choice((1, 5, 20, 60, -1))
        data = {"id": f"{sender}-{number}", "to": f"account:{target}", "amount": amount}
        return self.message(sender, number, f"account:{source}", "transfer", data)

    async def _act(self, turn: Turn) -> None:
        data, state = turn.message.data, turn.state
        if data["amount"] < 0:
            raise InvalidInput("An amount cannot be negative.")
        if self.chance.random() < 0.1:
            await elsewhere("outside.ask")
        if self.chance.random() < 0.05:
            raise RetryableError("Not now.")
        if turn.message.type == "deposit":
            state["balance"] += data["amount"]
            state["in"].append(data["id"])
        elif state["balance"] < data["amount"]:
            state["refused"].append(data["id"])
        else:
            state["balance"] -= data["amount"]
            state["out"].append(data["id"])
            turn.send(data["to"], "deposit", {"id": data["id"], "amount": data["amount"]})

    def acceptable(self, letter: DeadLetter) -> bool:
        return letter.message is not None and letter.message["data"]["amount"] < 0

    def check(self, ending: Ending) -> Iterator[str]:
        states = ending.states
        total = sum(state["balance"] for state in states.values())
        if total != _OPENING * len(states):
            yield f"the accounts hold {total}, not {_OPENING * len(states)}"
        yield from (f"{account} owes money" for account, state in states.items() if state["balance"] < 0)
        given = Counter(id_ for state in states.values() for id_ in state["out"])
        taken = Counter(id_ for state in states.values() for id_ in state["in"])
        refused = Counter(id_ for state in states.values() for id_ in state["refused"])
        if given != taken:
            yield f"given and taken differ: {given - taken} and {taken - given}"
        wrong = Counter(
            letter.message["data"]["id"]
            for letter in ending.letters
            if letter.message is not None and letter.message["data"]["amount"] < 0
        )
        expected = {f"bank{sender}-{number}" for sender in range(_SENDERS) for number in range(_TRANSFERS)}
        done = Counter(set(wrong)) + given + refused
        if done != Counter(expected):
            yield f"transfers applied more or less than once: {done - Counter(expected)}, {Counter(expected) - done}"
