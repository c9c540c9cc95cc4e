"""Agents that insist on order, and retry: what comes behind a message that is tried again waits for it."""

from __future__ import annotations

from collections.abc import Iterator

from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import RetryableError, TerminalError
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import Turn
from aos.testing.simulation.workload import Actor, Ending, Workload

_SENDERS = 2
_NUMBERS = 14
_POISON = 5
_NEVER = 9


class Strict(Workload):
    name = "strict"
    ordered = True
    max_deliveries = 4
    checks = ("each sender's numbers in order, retries or not", "nobody waits for ever")

    def actors(self) -> list[Actor]:
        policy = AgentPolicy(strict_order=True, retry=RetryPolicy(max_attempts=4, first_delay=3))
        return [Actor("clerk", self._act, policy, {"seen": {}})]

    def letters(self) -> list[list[Message]]:
        return [
            [self.message(f"source{sender}", number, "clerk", "file", [sender, number]) for number in range(_NUMBERS)]
            for sender in range(_SENDERS)
        ]

    async def _act(self, turn: Turn) -> None:
        sender, number = turn.message.data
        if number == _POISON:
            raise TerminalError("Never.")
        if number == _NEVER or (turn.attempt < 4 and self.chance.random() < 0.15):
            raise RetryableError("Not yet.")
        turn.state["seen"].setdefault(str(sender), []).append(number)

    def acceptable(self, letter: DeadLetter) -> bool:
        return letter.message is not None and letter.message["data"][1] in (_POISON, _NEVER)

    def check(self, ending: Ending) -> Iterator[str]:
        again = {
            tuple(letter.message["data"])
            for letter in ending.letters
            if letter.message and letter.id in ending.resubmitted
        }
        for sender in range(_SENDERS):
            seen = ending.states.get("clerk", {"seen": {}})["seen"].get(str(sender), [])
            expected = [number for number in range(_NUMBERS) if number not in (_POISON, _NEVER)]
            if sorted(seen) != expected:
                yield f"of source {sender} the clerk filed {seen}"
            in_line = [number for number in seen if (sender, number) not in again]
            if in_line != sorted(in_line):
                yield f"of source {sender} the clerk filed {seen}, out of order"
        yield from (f"{agent} holds messages back" for agent in ending.holding)
