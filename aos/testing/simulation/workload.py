"""What agents do in a simulation, what they are sent, and what must be true at the end."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from aos.agents import Agent
from aos.kernel.deadletter import DeadLetter
from aos.kernel.journal import JournalEntry
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy
from aos.kernel.standing import State
from aos.kernel.turn import Turn
from aos.testing.simulation.process import current_process
from aos.testing.simulation.trouble import Trouble

_FOR_EVER = 100_000
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Actor:
    """An agent type made of one function."""

    type: str
    act: Callable[[Turn], Awaitable[None]]
    policy: AgentPolicy = field(default_factory=AgentPolicy)
    initial: Mapping[str, Any] = field(default_factory=dict)
    topics: frozenset[str] = frozenset()

    def initial_state(self) -> dict[str, Any]:
        return {name: value.copy() if hasattr(value, "copy") else value for name, value in self.initial.items()}

    async def handle(self, turn: Turn) -> None:
        await self.act(turn)


class Actors:
    """The agent types of a workload; the kernel's catalogue."""

    def __init__(self, actors: Iterable[Actor | Agent[Any]]) -> None:
        self._actors = {actor.type: actor for actor in actors}

    def behaviour(self, agent_type: str) -> Actor | Agent[Any] | None:
        return self._actors.get(agent_type)

    def subscribers(self, event: Message) -> list[str]:
        return [actor.type for actor in self._actors.values() if event.topic in actor.topics]


@dataclass(frozen=True, slots=True)
class Ending:
    """What is there when all is quiet.

    Attributes:
        states: State of each agent that has lived.
        journals: Its journal.
        letters: The dead-letter store.
        resubmitted: Ids of those that were sent again.
        waiting: Agents with requests that have no reply.
        holding: Agents that hold messages back.
        rows: What agents keep beside their states, by agent and key.
    """

    states: Mapping[str, Any]
    journals: Mapping[str, Sequence[JournalEntry]]
    letters: Sequence[DeadLetter]
    resubmitted: frozenset[str]
    waiting: Sequence[str]
    holding: Sequence[str]
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Workload:
    """Base of workloads. One is made for each run.

    Args:
        chance: All that is random in the run.

    Attributes:
        name: What it is called on the command line.
        pace: Seconds between two letters of a sender, at the most.
        ordered: Its messages must take effect in the order sent; then none is made to overtake another.
        max_deliveries: Failed deliveries until the bus gives a message up, in half of the runs; in the others it never
            does, so that whatever hangs is seen to hang.
        deliveries: Which it is in this run.
        checks: What `check` looks at, for the table of a long run.
        windows: Counts what no promise covers.
    """

    name: ClassVar[str]
    pace: ClassVar[float] = 4.0
    ordered: ClassVar[bool] = False
    max_deliveries: ClassVar[int] = 10
    checks: ClassVar[tuple[str, ...]] = ()

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.windows: Counter[str] = Counter()
        self.deliveries = chance.choice((self.max_deliveries, _FOR_EVER))

    @property
    def without(self) -> frozenset[Trouble]:
        """Faults its promises do not cover."""
        return frozenset({Trouble.POSTPONE}) if self.ordered else frozenset()

    def actors(self) -> Sequence[Actor | Agent[Any]]:
        """The agent types: functions, and agents as they are registered elsewhere."""
        raise NotImplementedError

    def letters(self) -> list[list[Message]]:
        """What is sent from outside: one list a sender, in order."""
        raise NotImplementedError

    def orders(self) -> list[list[tuple[str, State]]]:
        """What operators order: one list an operator, in order; to whom, and where it is to stand."""
        return []

    def check(self, ending: Ending) -> Iterator[str]:
        """What is not as it should be."""
        raise NotImplementedError

    def acceptable(self, letter: DeadLetter) -> bool:
        """Whether a message may be a dead letter for this reason. What the bus gave up always may."""
        del letter
        return False

    def message(self, sender: str, number: int, to: str, type: str, data: Any = None, **fields: Any) -> Message:
        return Message(id=f"{sender}-{number}", source=sender, type=type, time=_BEGINNING, to=to, data=data, **fields)


async def elsewhere(operation: str) -> None:
    """A call to something outside, at which its process may die, stand still or be slow."""
    process = current_process()
    await process.reach(operation)
    await process.leave()
