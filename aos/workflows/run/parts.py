"""What is inside of a map or a loop and has a map or loop of its own, or several steps, is a run of its own: a part.

A part is of the same definition as the run it belongs to; its options say where in it it is, and the names that its
expressions may use beside those of its own steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from aos.kernel.errors import NotFound
from aos.workflows.definition.expressions import below
from aos.workflows.definition.graph import Graph
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.step import Action, Step
from aos.workflows.definition.workflow import Workflow

OPTION = "part"
OUTPUT = "output"

Path = tuple[str | int, ...]


class Part(BaseModel):
    """Which part of a workflow a run does.

    Attributes:
        path: The keys that lead to it in the workflow: `steps`, 2, `map`, `step`; `loop`, `steps` at the end stands
            for all of them.
        names: What its expressions may use from around it.
    """

    path: Path
    names: dict[str, Any] = {}


def inner_graph(graph: Graph, path: Path) -> Graph:
    """The graph of a part: its steps one after another, with the last one's output. Raises `NotFound`."""
    found: Any = graph.workflow
    id = ""
    for key in path:
        found = found[key] if isinstance(key, int) else getattr(found, key, None)
        if found is None:
            raise NotFound(f"Workflow {graph.workflow.name!r} has no part {path!r}.")
        id = found.id if isinstance(found, Step) else id
    return _in_turn(graph.workflow, [_alone(found, id)] if isinstance(found, Action) else list(found))


def needs_run(action: Action) -> bool:
    """Whether it cannot be done by a single call."""
    return action.map is not None or action.loop is not None


def _alone(action: Action, id: str) -> Step:
    """An action as the step it is in; retries and time-out are seen to by the run around it."""
    values = {name: getattr(action, name) for name in Action.model_fields} | {"retry": Retry(), "timeout": None}
    return Step.model_construct(id=id, **values)


def _in_turn(workflow: Workflow, steps: Sequence[Step]) -> Graph:
    count = len(steps)
    update: dict[str, Any] = {
        "steps": tuple(steps),
        "on_failure": "stop",
        "timeout": None,
        "budget": None,
        "inputs": {},
    }
    inner = workflow.model_copy(update=update)
    # What is worked out from the steps is kept with the workflow, and a copy takes it along.
    for name in ("places", "digest"):
        inner.__dict__.pop(name, None)
    return Graph(
        inner,
        tuple(steps),
        tuple((place - 1,) if place else () for place in range(count)),
        tuple((place + 1,) if place + 1 < count else () for place in range(count)),
        {OUTPUT: f"${{{{ {below('steps', steps[-1].id)}.output }}}}"},
    )
