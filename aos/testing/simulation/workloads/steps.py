"""Paid calls in steps: each is paid for once, but where a process died or was outlived between payment and journal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random

from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import RetryableError, TerminalError
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import Turn
from aos.testing.simulation.process import current_process, delivery_began
from aos.testing.simulation.workload import Actor, Ending, Workload, elsewhere

_SHOPS = 2
_ORDERS = 8


class Steps(Workload):
    name = "steps"
    max_deliveries = 5
    checks = ("each step paid once, windows counted",)

    def __init__(self, chance: Random) -> None:
        super().__init__(chance)
        self.paid: Counter[str] = Counter()
        """Payments by idempotency key."""
        self.noted: dict[str, float] = {}
        """When the result of each key was known to be journaled."""
        self.active: Counter[str] = Counter()
        """Runs of the handler that have not come to an end, by message."""
        self.doubled: list[str] = []

    def actors(self) -> list[Actor]:
        policy = AgentPolicy(retry=RetryPolicy(max_attempts=30, max_delay=20))
        return [Actor("shop", self._act, policy, {"receipts": {}})]

    def letters(self) -> list[list[Message]]:
        return [
            [self.message(f"person{shop}", number, f"shop:{shop}", "buy", number) for number in range(_ORDERS)]
            for shop in range(_SHOPS)
        ]

    async def _act(self, turn: Turn) -> None:
        self.active[turn.message.first_id] += 1
        try:
            await self._buy(turn)
        finally:
            self.active[turn.message.first_id] -= 1

    async def _buy(self, turn: Turn) -> None:
        receipts = []
        for item in range(turn.message.data % 3 + 1):
            key = turn.idempotency_key(f"pay {item}")
            receipts.append(await turn.step("pay", partial(self._pay, turn, key)))
            self.noted.setdefault(key, current_process().now)
            if self.chance.random() < 0.06:
                raise RetryableError("Not now.")
        if turn.message.data == 3:
            raise TerminalError("Sold out.")
        turn.state["receipts"].setdefault(str(turn.message.data), []).append(receipts)

    async def _pay(self, turn: Turn, key: str) -> str:
        await elsewhere("outside.pay")
        if self.noted.get(key, math.inf) < delivery_began.get():
            self.doubled.append(f"{turn.agent} paid {key[:8]} again for {turn.message.id}, knowing its result")
        elif self.paid[key]:
            at_once = self.active[turn.message.first_id] > 1
            self.windows[f"paid again: {'by two instances at once' if at_once else 'not journaled before'}"] += 1
        self.paid[key] += 1
        number = self.paid[key]
        await elsewhere("outside.paid")
        return f"{key[:8]}-{number}"

    def acceptable(self, letter: DeadLetter) -> bool:
        return letter.message is not None and letter.message["data"] == 3

    def check(self, ending: Ending) -> Iterator[str]:
        yield from self.doubled
        for shop in range(_SHOPS):
            receipts = ending.states.get(f"shop:{shop}", {"receipts": {}})["receipts"]
            if sorted(receipts) != [str(number) for number in range(_ORDERS) if number != 3]:
                yield f"shop {shop} has receipts for {sorted(receipts)}"
            for number, lists in receipts.items():
                if len(lists) != 1 or len(lists[0]) != int(number) % 3 + 1:
                    yield f"shop {shop} has receipts {lists} for order {number}"
