"""Topic events for several agents: each gets its copy once, and gives it up on its own account."""

from __future__ import annotations

from collections.abc import Iterator

from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import TerminalError
from aos.kernel.message import Message
from aos.kernel.turn import Turn
from aos.testing.simulation.workload import Actor, Ending, Workload

_PUBLISHERS = 2
_EVENTS = 8
_LISTENERS = ("ear", "eye", "nose")


class Events(Workload):
    name = "events"
    max_deliveries = 5
    checks = ("each event once for each subscriber", "each subscriber's dead letters")

    def actors(self) -> list[Actor]:
        listeners = [
            Actor(name, self._listen, initial={"heard": []}, topics=frozenset({"news"})) for name in _LISTENERS
        ]
        return [Actor("crier", self._cry, initial={"cried": 0}), *listeners]

    def letters(self) -> list[list[Message]]:
        return [
            [
                self.message(f"person{person}", number, f"crier:{person}", "cry", [person, number])
                for number in range(_EVENTS)
            ]
            for person in range(_PUBLISHERS)
        ]

    async def _cry(self, turn: Turn) -> None:
        turn.state["cried"] += 1
        turn.publish("news", "cried", turn.message.data)

    async def _listen(self, turn: Turn) -> None:
        if turn.message.data[1] % 4 == 0 and turn.agent != "ear":
            raise TerminalError("Too loud.")
        turn.state["heard"].append(turn.message.data)

    def acceptable(self, letter: DeadLetter) -> bool:
        return letter.agent != "ear" and letter.message is not None and letter.message["data"][1] % 4 == 0

    def check(self, ending: Ending) -> Iterator[str]:
        everything = [[person, number] for person in range(_PUBLISHERS) for number in range(_EVENTS)]
        for listener in _LISTENERS:
            refused = [
                letter.message["data"]
                for letter in ending.letters
                if letter.agent == listener and letter.error["code"] == "terminal_error" and letter.message is not None
            ]
            heard = ending.states.get(listener, {"heard": []})["heard"]
            refused = [data for data in everything if data in refused]
            if sorted(heard + refused) != everything:
                yield f"{listener} heard {heard} and refused {refused}"
