"""Transfers between accounts that are stopped and released by chance, and a clerk whose mail must stay in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aos.kernel.deadletter import DeadLetter
from aos.kernel.journal import JournalEntry
from aos.kernel.message import Message
from aos.kernel.standing import Standing, State
from aos.kernel.turn import Turn
from aos.testing.simulation.workload import Actor, Ending, elsewhere
from aos.testing.simulation.workloads.transfers import Transfers

_AGENTS = ("account:0", "account:1", "account:2", "account:3", "clerk")
_ORDERS = 12
_SENDERS = 2
_NUMBERS = 25
_STOPS: tuple[State, ...] = ("paused", "paused", "quarantined", "draining")


class Pauses(Transfers):
    name = "pauses"
    ordered = True
    checks = (*Transfers.checks, "each sender's numbers in order, stopped or not", "nothing handled while stopped")

    def actors(self) -> list[Actor]:
        return [*super().actors(), Actor("clerk", self._file, initial={"seen": {}})]

    def letters(self) -> list[list[Message]]:
        numbers = [
            [self.message(f"source{sender}", number, "clerk", "file", [sender, number]) for number in range(_NUMBERS)]
            for sender in range(_SENDERS)
        ]
        return [*super().letters(), *numbers]

    def orders(self) -> list[list[tuple[str, State]]]:
        """Two operators, each with agents of its own; in the end all agents may work."""
        lines: list[list[tuple[str, State]]] = []
        for agents in (_AGENTS[:2], _AGENTS[2:]):
            line: list[tuple[str, State]] = [
                (self.chance.choice(agents), self.chance.choice((*_STOPS, "open", "open"))) for _ in range(_ORDERS)
            ]
            lines.append([*line, *((agent, "open") for agent in agents)])
        return lines

    async def _file(self, turn: Turn) -> None:
        sender, number = turn.message.data
        if self.chance.random() < 0.1:
            await elsewhere("outside.ask")
        turn.state["seen"].setdefault(str(sender), []).append(number)

    def acceptable(self, letter: DeadLetter) -> bool:
        return letter.agent != "clerk" and super().acceptable(letter)

    def check(self, ending: Ending) -> Iterator[str]:
        accounts = {agent: state for agent, state in ending.states.items() if agent.startswith("account:")}
        letters = [letter for letter in ending.letters if letter.agent != "clerk"]
        yield from super().check(_only(ending, accounts, letters))
        again = [letter.message["data"] for letter in ending.letters if letter.agent == "clerk" and letter.message]
        for sender in range(_SENDERS):
            seen = ending.states.get("clerk", {"seen": {}})["seen"].get(str(sender), [])
            if sorted(seen) != list(range(_NUMBERS)):
                yield f"of source {sender} the clerk filed {seen}"
            in_line = [number for number in seen if [sender, number] not in again]
            if in_line != sorted(in_line):
                yield f"of source {sender} the clerk filed {seen}, out of order"
        yield from (f"{agent} holds messages back" for agent in ending.holding)
        for agent, entries in ending.journals.items():
            yield from _handled_while_stopped(agent, entries)


def _handled_while_stopped(agent: str, entries: Any) -> Iterator[str]:
    standing = Standing()
    for entry in entries:
        yield from _trespasses(agent, entry, standing)
        if entry.order:
            standing = Standing(state=entry.order["to"])


def _trespasses(agent: str, entry: JournalEntry, standing: Standing) -> Iterator[str]:
    for record in entry.received:
        message = Message.from_json(record["message"])
        if record["outcome"] in ("applied", "retried") and not standing.admits(message, agent):
            yield f"{agent} handled {message.id} in turn {entry.version} while it was {standing.state}"


def _only(ending: Ending, states: Mapping[str, Any], letters: list[DeadLetter]) -> Ending:
    return Ending(states, ending.journals, letters, ending.resubmitted, ending.waiting, ending.holding)
