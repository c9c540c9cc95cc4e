"""One turn of a run: the turn, the state, the graph and the marks, for all that works on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aos.agents import Turn
from aos.workflows.definition.graph import Graph
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import StartRun
from aos.workflows.run.marks import Marks
from aos.workflows.run.parts import OPTION, Part, Path
from aos.workflows.run.run_state import Call, RunState

UNDO_KEY = "u"
MOST_WAITS = 200
"""Calls that only wait, beside those at work."""


@dataclass(slots=True)
class Run:
    """What a turn of a run works with.

    Attributes:
        graph: That of the part, where the run is one.
        takes: Whether an agent handles messages of a type.
        part: Which part of the definition the run does, where it does not do all of it.
    """

    turn: Turn
    state: RunState
    graph: Graph
    store: WorkflowStore
    takes: Callable[[str, str], bool]
    part: Part | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        self.marks = Marks(self.state.marks)

    @property
    def id(self) -> str:
        return self.turn.agent.partition(":")[2]

    @property
    def request(self) -> StartRun:
        request = self.state.request
        assert request is not None  # noqa: S101  # made for runs that were started only
        return request

    @property
    def at_work(self) -> int:
        """Calls that count for the bound on what is done at a time."""
        return sum(not call.is_wait for call in self.state.calls.values())

    @property
    def has_room(self) -> bool:
        most = self.graph.workflow.concurrency
        wanted = self.request.options.get("concurrency")
        most = min(most, wanted) if isinstance(wanted, int) and wanted > 0 else most
        return self.at_work < most and len(self.state.calls) < most + MOST_WAITS

    @property
    def attempt(self) -> int:
        return self.state.generation + 1

    def path_of(self, place: int) -> Path:
        """The keys that lead to a step in the definition."""
        if self.part is None:
            return ("steps", place)
        return (*self.part.path, place) if self.part.path[-1] == "steps" else self.part.path

    def next_serial(self) -> int:
        self.state.serial += 1
        return self.state.serial

    def free_slot(self) -> int:
        """The lowest number of a worker that has nothing to do, from 1."""
        taken = {call.slot for call in self.state.calls.values()}
        return next(slot for slot in range(1, len(taken) + 2) if slot not in taken)

    def calls_of(self, place: int) -> Iterator[tuple[str, Call]]:
        """The calls that belong to a step."""
        own = str(place)
        yield from [(key, call) for key, call in self.state.calls.items() if key.partition(".")[0] == own]

    def priority_of(self, place: int) -> int:
        return self.graph.steps[place].priority or self.request.priority

    def retry_of(self, key: str) -> Retry:
        """How often what a call is for is tried: a step, an item of a map, or a round of a loop."""
        step = self.graph.steps[place_of(key)]
        if "." not in key:
            return step.retry
        inner = step.map.step if step.map is not None else step.loop.step if step.loop is not None else None
        return inner.retry if inner is not None else Retry()


def place_of(key: str) -> int:
    return int(key.partition(".")[0])


def index_of(key: str) -> int:
    return int(key.partition(".")[2])


def is_undo(key: str) -> bool:
    return key.startswith(UNDO_KEY)


def part_of(request: StartRun) -> Part | None:
    found = request.options.get(OPTION)
    return None if found is None else Part.model_validate(found)


def note(key: str, serial: int) -> dict[str, Any]:
    """What comes back with the reply to a call."""
    return {"key": key, "serial": serial}
