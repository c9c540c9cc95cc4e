"""Finds agents, tools, teams and workflows that a workflow names and that do not exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from aos.kernel.address import agent_type, is_address
from aos.workflows.definition.expressions import nearest
from aos.workflows.definition.known import Known, workflow_reference
from aos.workflows.definition.problem import Problem, dotted
from aos.workflows.definition.step import Action, Compensation, Step
from aos.workflows.definition.templates import OPEN, Place
from aos.workflows.definition.usage import actions_in, workflows_used
from aos.workflows.definition.workflow import VERSION_LENGTH, Workflow

_MAX_DEPTH = 20

Finding = tuple[str, str, str]
"""Field, code and message."""


def reference_problems(workflow: Workflow, known: Known) -> Iterator[Problem]:
    """All problems with what the steps refer to."""
    for number, step in enumerate(workflow.steps):
        for below, action in actions_in(step):
            for field, code, message in _of_action(workflow, action, known):
                yield _problem(step, number, (*below, field), code, message)
        if step.compensate is not None:
            for field, code, message in _of_names(step.compensate, known):
                yield _problem(step, number, ("compensate", field), code, message)


def _problem(step: Step, number: int, place: Place, code: str, message: str) -> Problem:
    return Problem(code, f"step {step.id!r}, {dotted(place)}", message, ("steps", number, *place))


def _of_action(workflow: Workflow, action: Action, known: Known) -> Iterator[Finding]:
    yield from _of_names(action, known)
    if isinstance(action.team, str) and OPEN not in action.team and _is_unknown(action.team, known.teams):
        yield "team", "unknown_team", _unknown("team", action.team, known.teams)
    if action.workflow is not None:
        yield from _of_workflow(workflow, action, action.workflow, known)


def _of_names(named: Action | Compensation, known: Known) -> Iterator[Finding]:
    agent, tool = named.agent, named.tool
    if agent is not None and OPEN not in agent:
        if not is_address(agent):
            yield "agent", "bad_address", f"{agent!r} is no address. Write `type` or `type:key`, in lower case."
        elif _is_unknown(agent, known.agents) and _is_unknown(agent_type(agent), known.agents):
            yield "agent", "unknown_agent", _unknown("agent", agent, known.agents)
    if tool is not None:
        if OPEN in tool:
            yield "tool", "template_forbidden", "the tool must be named as it is, so that what it may do is known."
        elif _is_unknown(tool, known.tools):
            yield "tool", "unknown_tool", _unknown("tool", tool, known.tools)


def _of_workflow(workflow: Workflow, action: Action, reference: str, known: Known) -> Iterator[Finding]:
    if OPEN in reference:
        yield "workflow", "template_forbidden", "the workflow must be named as it is, so that it can be looked at."
        return
    name, version = workflow_reference(reference)
    if name != workflow.name and _is_unknown(name, known.workflows):
        yield "workflow", "unknown_workflow", _unknown("workflow", name, known.workflows)
        return
    circle = _circle(workflow, reference, known)
    if circle:
        message = f"workflows start each other without end: {' -> '.join(circle)}. Take one of these steps out."
        yield "workflow", "workflow_recursion", message
        return
    inner = known.workflow(name, version)
    if inner is None:
        if version is not None and known.workflow(name, None) is not None:
            message = f"{name!r} has no version {version!r}. Take one of its versions, or leave it out for the latest."
            yield "workflow", "unknown_workflow", message
        return
    yield from _of_inputs(inner, action)


def _of_inputs(inner: Workflow, action: Action) -> Iterator[Finding]:
    for given in action.with_:
        if given not in inner.inputs:
            near = nearest(given, list(inner.inputs), none=f"It has {', '.join(inner.inputs) or 'none'}.")
            yield "with", "unknown_input", f"workflow {inner.name!r} has no input {given!r}. {near}"
    missing = [name for name, declared in inner.inputs.items() if declared.is_required and name not in action.with_]
    if missing:
        yield "with", "missing_input", f"workflow {inner.name!r} needs {', '.join(missing)}. Put it under `with`."


def _circle(workflow: Workflow, reference: str, known: Known) -> list[str]:
    """The names from this workflow back to itself, through what it starts; a version started twice is a circle, too."""
    waiting: list[tuple[list[str], str]] = [([workflow.name], reference)]
    seen: set[str] = set()
    while waiting:
        path, wanted = waiting.pop()
        name, version = workflow_reference(wanted)
        if name in path:
            return [*path[path.index(name) :], name]
        inner = known.workflow(name, version)
        if inner is None or wanted in seen or len(path) > _MAX_DEPTH:
            continue
        seen.add(wanted)
        waiting += [([*path, name], used) for used in workflows_used(inner)]
    return []


def _is_unknown(name: str, known: Collection[str] | None) -> bool:
    return known is not None and name not in known


def _unknown(kind: str, name: str, known: Collection[str] | None) -> str:
    there = sorted(known or ())
    few = f"There are {', '.join(there[:VERSION_LENGTH])}." if there else f"There is no {kind} at all."
    return f"there is no {kind} {name!r}. {nearest(name, there, none=few)}"
