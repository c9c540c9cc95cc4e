"""A workflow as a graph: what each step needs, from its own words, its mode and its expressions."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.expressions import below
from aos.workflows.definition.modes import needs_by_mode
from aos.workflows.definition.step import Step
from aos.workflows.definition.usage import steps_used
from aos.workflows.definition.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Graph:
    """What a run goes by. Steps are known by their place, from 0.

    Attributes:
        workflow: What it was made of.
        steps: Its steps, in their order.
        needs: For each step the places of those it needs, in order: all of them, whatever they come from.
        needed_by: For each step the places of those that need it.
        outputs: By name, values with templates.
    """

    workflow: Workflow
    steps: tuple[Step, ...]
    needs: tuple[tuple[int, ...], ...]
    needed_by: tuple[tuple[int, ...], ...]
    outputs: dict[str, Any]

    def place(self, id: str) -> int:
        """The place of a step. Raises KeyError."""
        return self.workflow.places[id][0]

    def followers(self, place: int) -> list[int]:
        """A step and all that depend on it, directly or not, in order."""
        return self._reached(place, self.needed_by)

    def requirements(self, place: int) -> list[int]:
        """A step and all that it depends on, directly or not, in order."""
        return self._reached(place, self.needs)

    def _reached(self, place: int, edges: Sequence[Sequence[int]]) -> list[int]:
        found, waiting = {place}, [place]
        while waiting:
            for other in edges[waiting.pop()]:
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return sorted(found)


def as_graph(workflow: Workflow) -> Graph:
    """The graph of a workflow of any mode.

    A step needs what it says, what the mode says, and the steps whose results its expressions use.

    Raises:
        InvalidInput: it needs a step that does not exist, or steps need each other; `check` finds all such things.
    """
    places = workflow.places
    if len(places) < len(workflow.steps):
        raise InvalidInput(f"Two steps of workflow {workflow.name!r} have one id.", code="duplicate_step")
    needs: list[tuple[int, ...]] = []
    for step, wanted in zip(workflow.steps, all_needs(workflow), strict=True):
        unknown = sorted(wanted - places.keys())
        if unknown:
            raise InvalidInput(f"Step {step.id!r} needs {unknown[0]!r}, which does not exist.", code="unknown_step")
        needs.append(tuple(sorted(places[id][0] for id in wanted)))
    circle = cycle_in(needs)
    if circle:
        shown = " -> ".join(workflow.steps[place].id for place in circle)
        raise InvalidInput(f"Steps need each other: {shown}.", code="cycle")
    needed_by = _turned(needs)
    outputs = workflow.outputs or {
        step.id: f"${{{{ {below('steps', step.id)}.output }}}}"
        for step, followers in zip(workflow.steps, needed_by, strict=True)
        if not followers
    }
    return Graph(workflow, workflow.steps, tuple(needs), needed_by, outputs)


def all_needs(workflow: Workflow) -> list[frozenset[str]]:
    """For each step the ids of all it needs, existing or not. Raises `ExpressionError`."""
    by_mode = needs_by_mode(workflow.mode, workflow.steps)
    return [
        frozenset(step.needs) | frozenset(mode) | steps_used(step)
        for step, mode in zip(workflow.steps, by_mode, strict=True)
    ]


def cycle_in(needs: Sequence[Sequence[int]]) -> list[int]:
    """Places that need each other in a circle, the first again at the end; empty where there is none.

    Kahn's algorithm takes away what can be done; in what is left everything needs something that is left, so that
    following one need after the other must come back.
    """
    missing = [len(set(wanted)) for wanted in needs]
    needed_by = _turned(needs)
    ready = deque(place for place, count in enumerate(missing) if not count)
    while ready:
        for follower in needed_by[ready.popleft()]:
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    place = next((place for place, count in enumerate(missing) if count), None)
    if place is None:
        return []
    seen: dict[int, int] = {}
    path: list[int] = []
    while place not in seen:
        seen[place] = len(path)
        path.append(place)
        place = next(other for other in needs[place] if missing[other])
    return [*path[seen[place] :], place]


def _turned(needs: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    turned: list[list[int]] = [[] for _ in needs]
    for place, wanted in enumerate(needs):
        for other in set(wanted):
            turned[other].append(place)
    return tuple(tuple(followers) for followers in turned)
