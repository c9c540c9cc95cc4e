"""Numbers pass along a chain of agents to one that writes them down: each sender's arrive in order, none missing."""

from __future__ import annotations

from collections.abc import Iterator

from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy
from aos.kernel.turn import Turn
from aos.testing.simulation.workload import Actor, Ending, Workload

_LINKS = 3
_SENDERS = 3
_NUMBERS = 8


class Chain(Workload):
    name = "chain"
    ordered = True
    # A message that is given up and sent again later is no longer in its place.
    max_deliveries = 100_000
    checks = ("each sender's numbers in order",)

    def actors(self) -> list[Actor]:
        policy = AgentPolicy(message_timeout=100_000)
        return [Actor("link", self._pass, policy, {"last": {}}), Actor("end", self._note, policy, {"seen": {}})]

    def letters(self) -> list[list[Message]]:
        return [
            [
                self.message(f"source{sender}", number, "link:0", "number", [sender, number])
                for number in range(_NUMBERS)
            ]
            for sender in range(_SENDERS)
        ]

    async def _pass(self, turn: Turn) -> None:
        sender, number = turn.message.data
        turn.state["last"][str(sender)] = number
        place = int(turn.agent.partition(":")[2])
        turn.send(f"link:{place + 1}" if place + 1 < _LINKS else "end", "number", [sender, number])

    async def _note(self, turn: Turn) -> None:
        sender, number = turn.message.data
        turn.state["seen"].setdefault(str(sender), []).append(number)

    def check(self, ending: Ending) -> Iterator[str]:
        seen = ending.states.get("end", {}).get("seen")
        expected = {str(sender): list(range(_NUMBERS)) for sender in range(_SENDERS)}
        if seen != expected:
            yield f"the end of the chain saw {seen}"
