"""Finds everything that is wrong with a workflow before it runs, with what to do about each."""

from __future__ import annotations

from collections.abc import Iterator

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.check_expressions import expression_problems
from aos.workflows.definition.check_fields import field_problems_of
from aos.workflows.definition.check_references import reference_problems
from aos.workflows.definition.expressions import ExpressionError, nearest
from aos.workflows.definition.graph import all_needs, cycle_in
from aos.workflows.definition.inputs import type_problem
from aos.workflows.definition.known import Known, KnownNames
from aos.workflows.definition.problem import Problem
from aos.workflows.definition.step import Step
from aos.workflows.definition.usage import actions_in, inner_steps, steps_used
from aos.workflows.definition.workflow import Workflow

MAX_NESTING = 4
_SHOWN = 20
"""Steps of a circle that are named."""


def check(workflow: Workflow, known: Known | None = None) -> list[Problem]:
    """All that is wrong with a workflow, in the order of its steps; empty where nothing is.

    Args:
        workflow: The workflow.
        known: The names it may refer to; without it only what is in the workflow itself is looked at.
    """
    problems = [*_ids(workflow), *_inputs(workflow)]
    problems += _mode(workflow)
    problems += _inner(workflow)
    problems += expression_problems(workflow)
    problems += field_problems_of(workflow)
    problems += reference_problems(workflow, known or KnownNames())
    if not any(problem.code == "duplicate_step" for problem in problems):
        problems += _cycle(workflow)
    return sorted(problems, key=lambda problem: _order(problem, workflow))


def refuse_problems(workflow: Workflow, known: Known | None = None, *, source: str = "") -> None:
    """Raise `InvalidInput` with all that is wrong with a workflow, if anything is."""
    problems = check(workflow, known)
    if problems:
        raise problems_error(workflow.name, problems, source=source)


def problems_error(name: str, problems: list[Problem], *, source: str = "") -> InvalidInput:
    """The error that says what is wrong: the first five in its text, all in its details."""
    shown = "; ".join(str(problem).rstrip(".") for problem in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    start = f"{source}: workflow" if source else "Workflow"
    return InvalidInput(
        f"{start} {name!r} is not right: {shown}{more}.",
        code="workflow_invalid",
        details={"problems": [problem.to_json() for problem in problems]},
    )


def _order(problem: Problem, workflow: Workflow) -> int:
    in_step = len(problem.place) > 1 and problem.place[0] == "steps"
    return int(problem.place[1]) if in_step else -1 if problem.place[:1] == ("inputs",) else len(workflow.steps)


def _ids(workflow: Workflow) -> Iterator[Problem]:
    ids = [step.id for step in workflow.steps]
    first: dict[str, int] = {}
    for place, step in enumerate(workflow.steps):
        where = f"step {step.id!r}"
        if step.id in first:
            message = f"step {first[step.id] + 1} has this id, too. Give each a name of its own."
            yield Problem("duplicate_step", where, message, ("steps", place, "id"))
        first.setdefault(step.id, place)
        for number, wanted in enumerate(step.needs):
            if wanted not in workflow.places:
                near = nearest(wanted, ids, none=f"There are {', '.join(ids[:12])}.")
                message = f"it needs {wanted!r}, which does not exist. {near}"
                yield Problem("unknown_step", f"{where}, needs", message, ("steps", place, "needs", number))


def _inputs(workflow: Workflow) -> Iterator[Problem]:
    for name, declared in workflow.inputs.items():
        problem = None if declared.default is None else type_problem(declared.type, declared.default)
        if problem is not None:
            yield Problem("default_type", f"input {name!r}, default", problem, ("inputs", name, "default"))


def _mode(workflow: Workflow) -> Iterator[Problem]:
    mode = workflow.mode
    if mode == "graph":
        return
    if mode == "collaborative" and len(workflow.steps) < 2:
        message = "`collaborative` needs at least two steps; the last combines what the others came to."
        yield Problem("too_few_steps", "mode", message, ("mode",))
    for place, step in enumerate(workflow.steps):
        if step.needs:
            message = f"the mode {mode!r} sets the order. Remove `needs`, or take the mode `graph`."
            yield Problem("needs_in_mode", f"step {step.id!r}, needs", message, ("steps", place, "needs"))
        if mode == "parallel" and (used := _used(step)):
            message = f"in the mode `parallel` it cannot use results of {used[0]!r}. Take the mode `graph`."
            yield Problem("needs_in_mode", f"step {step.id!r}", message, ("steps", place))


def _used(step: Step) -> list[str]:
    try:
        return sorted(steps_used(step))
    except ExpressionError:
        return []  # reported with its place


def _inner(workflow: Workflow) -> Iterator[Problem]:
    """Steps of loops are done in turn, and undone with their loop."""
    for place, step in enumerate(workflow.steps):
        if any(sum(part in ("map", "loop") for part in below) > MAX_NESTING for below, _ in actions_in(step)):
            message = f"`map` and `loop` are more than {MAX_NESTING} deep. Put the inner ones into a workflow."
            yield Problem("too_deep", f"step {step.id!r}", message, ("steps", place))
        found = list(inner_steps(step))
        ids = [inner.id for _, inner in found]
        for below, inner in found:
            where, path = f"step {step.id!r}, step {inner.id!r}", ("steps", place, *below)
            if ids.count(inner.id) > 1 or inner.id in workflow.places:
                message = "another step has this id, too. Give each a name of its own."
                yield Problem("duplicate_step", where, message, (*path, "id"))
            if inner.needs:
                message = "steps of a loop are done one after another. Remove `needs`, and put them in their order."
                yield Problem("misplaced", f"{where}, needs", message, (*path, "needs"))
            if inner.compensate is not None:
                message = f"what a loop did is undone as one. Put `compensate` at step {step.id!r}."
                yield Problem("misplaced", f"{where}, compensate", message, (*path, "compensate"))


def _cycle(workflow: Workflow) -> Iterator[Problem]:
    try:
        wanted = all_needs(workflow)
    except ExpressionError:
        return  # reported with its place already
    places = workflow.places
    circle = cycle_in([sorted(places[id][0] for id in ids if id in places) for ids in wanted])
    if not circle:
        return
    names = [workflow.steps[place].id for place in circle]
    used = sorted(
        id for id in names if any(other in names for other in wanted[places[id][0]] - {*workflow.step(id).needs})
    )
    hint = f" (a step needs those whose results it uses, as {used[0]!r} does)" if used else ""
    shown = names if len(names) <= _SHOWN else [*names[: _SHOWN - 5], "...", *names[-4:]]
    message = f"steps need each other: {' -> '.join(shown)}{hint}. Take one of these needs away."
    yield Problem("cycle", f"step {names[0]!r}", message, ("steps", circle[0]))
