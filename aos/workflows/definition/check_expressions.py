"""Finds what is wrong with the expressions of a workflow: how they are written, and the names they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.expressions import ExpressionError, Path, nearest
from aos.workflows.definition.graph import Graph, as_graph
from aos.workflows.definition.problem import Problem, dotted
from aos.workflows.definition.templates import Place
from aos.workflows.definition.usage import Use, uses_of, uses_of_outputs
from aos.workflows.definition.workflow import Workflow

STEP_FIELDS = ("output", "status", "error")
RUN_FIELDS = ("id", "attempt")
_MEANT = {
    "item": "`item` is there in a `map`, under the name that `as` gives.",
    "index": "`index` is there in a `map` and in a `loop`.",
    "last": "`last` is there in a `loop`.",
    "event": "`event` is there in `wait.event.where`.",
}


def expression_problems(workflow: Workflow) -> Iterator[Problem]:
    """All problems with expressions, in the steps and in the outputs."""
    looked_at = _Looked(workflow)
    for number, step in enumerate(workflow.steps):
        yield from _in(looked_at, f"step {step.id!r}, ", ("steps", number), uses_of(step), step.id)
    yield from _in(looked_at, "", (), uses_of_outputs(workflow.outputs), None)


class _Looked:
    """The workflow that is looked at; its graph is made once, where it is asked for at all."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    @cached_property
    def graph(self) -> Graph | None:
        try:
            return as_graph(self.workflow)
        except InvalidInput:
            return None  # what is wrong with it is a problem of its own

    def is_before(self, other: str, own: str) -> bool:
        graph = self.graph
        return graph is None or graph.place(other) in graph.requirements(graph.place(own))


def _in(looked_at: _Looked, start: str, place: Place, uses: Iterable[Use], own: str | None) -> Iterator[Problem]:
    for use in uses:
        where, full = f"{start}{dotted(use.place)}", (*place, *use.place)
        try:
            names = use.names()
        except ExpressionError as error:
            yield Problem(error.code, where, error.message, full)
            continue
        for path in sorted(names, key=str):
            found = _problem(looked_at, use, path, own)
            if found is not None:
                yield Problem(found[0], where, f"`{dotted(path)}`: {found[1]}", full)


def _problem(looked_at: _Looked, use: Use, path: Path, own: str | None) -> tuple[str, str] | None:
    """Code and message, or None where the name is right."""
    root = str(path[0])
    if root not in use.scope.roots:
        there = sorted(use.scope.roots)
        none = _MEANT.get(root, f"There are {', '.join(there)}; a text needs quotes.")
        dashed = _dashed(looked_at.workflow, use, path)
        return "unknown_name", f"there is no {root!r} here. {dashed or nearest(root, there, none=none)}"
    if root == "inputs":
        return _input_problem(looked_at.workflow, path)
    if root == "steps":
        return _step_problem(looked_at, use, path, own)
    if root == "run" and len(path) > 1 and path[1] not in RUN_FIELDS:
        return "unknown_name", f"there is no {path[1]!r} in `run`. There are {', '.join(RUN_FIELDS)}."
    return None


def _input_problem(workflow: Workflow, path: Path) -> tuple[str, str] | None:
    if len(path) < 2 or path[1] in workflow.inputs:
        return None
    near = nearest(str(path[1]), list(workflow.inputs), none="Declare it under `inputs`.")
    return "unknown_input", f"the workflow has no input {path[1]!r}. {near}"


def _step_problem(looked_at: _Looked, use: Use, path: Path, own: str | None) -> tuple[str, str] | None:
    if len(path) < 2 or not isinstance(path[1], str):
        return "unknown_step", "it must name the step, so that the order is known: `steps.check.output`."
    known = [*use.scope.inner, *looked_at.workflow.places]
    if path[1] not in known:
        dashed = _dashed(looked_at.workflow, use, path)
        return "unknown_step", f"there is no step {path[1]!r}. {dashed or nearest(path[1], known)}".rstrip()
    if len(path) > 2 and path[2] not in STEP_FIELDS:
        return "unknown_name", f"a step has {', '.join(STEP_FIELDS)}. Did you mean `steps.{path[1]}.output.{path[2]}`?"
    if use.scope.undoing and own is not None and path[1] != own and not looked_at.is_before(path[1], own):
        return "unknown_step", f"step {own!r} does not need {path[1]!r}, which may not be done when it is undone."
    return None


def _dashed(workflow: Workflow, use: Use, path: Path) -> str:
    """`steps.check-fraud.output` is a subtraction: say how it is written."""
    name = str(path[1]) if path[0] == "steps" and len(path) > 1 else str(path[0])
    for id in (*workflow.places, *use.scope.inner):
        if "-" in id and name in id.split("-") and id in use.text:
            return f'A step whose name has a dash is written steps["{id}"].'
    return ""
