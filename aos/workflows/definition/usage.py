"""Where a step uses expressions, and which names each of them may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from aos.workflows.definition.expressions import Path, names_of
from aos.workflows.definition.step import Action, Loop, Map, Step
from aos.workflows.definition.templates import Place, expression_of, split, templates_in
from aos.workflows.definition.wait import Wait, is_moment
from aos.workflows.definition.workflow import Workflow

EVERYWHERE = frozenset({"inputs", "steps", "run"})
TEMPLATED = ("agent", "model", "system", "team")
"""Fields of an action, besides `with`, whose templates are filled in."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may use.

    Attributes:
        roots: The names that start a path.
        inner: Ids of the steps of the loop it is in.
        undoing: Whether it belongs to a compensation.
    """

    roots: frozenset[str] = EVERYWHERE
    inner: frozenset[str] = frozenset()
    undoing: bool = False

    def plus(self, *roots: str) -> Scope:
        return replace(self, roots=self.roots | set(roots))


@dataclass(frozen=True, slots=True)
class Use:
    """A text with expressions.

    Attributes:
        place: The keys that lead to it from the step, or from the workflow.
        bare: Whether the text is an expression as it stands, rather than one with templates in it.
    """

    place: Place
    text: str
    bare: bool
    scope: Scope

    def names(self) -> frozenset[Path]:
        """The names its expressions use. Raises `ExpressionError`."""
        if self.bare:
            return names_of(expression_of(self.text))
        found = [names_of(part) for is_expression, part in split(self.text) if is_expression]
        return frozenset().union(*found)


def uses_of(step: Step) -> Iterator[Use]:
    """Every use of a step of a workflow."""
    yield from _of_step(step, (), Scope())
    if step.compensate is not None:
        values = step.compensate.model_dump(by_alias=True, include={"agent", "with_"})
        yield from _templates(values, ("compensate",), Scope(undoing=True))


def uses_of_outputs(outputs: dict[str, Any]) -> Iterator[Use]:
    """Every use of a workflow's outputs."""
    yield from _templates(outputs, ("outputs",), Scope())


def steps_used(step: Step) -> frozenset[str]:
    """Ids of the other steps whose results a step needs for its expressions. Raises `ExpressionError`."""
    return frozenset(
        path[1]
        for use in uses_of(step)
        if not use.scope.undoing
        for path in use.names()
        if len(path) > 1 and path[0] == "steps" and isinstance(path[1], str) and path[1] not in use.scope.inner
    )


def workflows_used(workflow: Workflow) -> list[str]:
    """The other workflows that its steps run, `name` or `name@version`, each once."""
    found = [action.workflow for step in workflow.steps for _, action in actions_in(step) if action.workflow]
    return list(dict.fromkeys(found))


def inner_steps(action: Action) -> Iterator[tuple[Place, Step]]:
    """The steps of the loops in an action, at any depth, each with the keys that lead to it."""
    if action.map is not None:
        yield from _below(("map", "step"), action.map.step)
    if action.loop is not None:
        if action.loop.step is not None:
            yield from _below(("loop", "step"), action.loop.step)
        for number, step in enumerate(action.loop.steps):
            yield ("loop", "steps", number), step
            yield from _below(("loop", "steps", number), step)


def actions_in(action: Action) -> Iterator[tuple[Place, Action]]:
    """An action and those inside of it, each with the keys that lead to it."""
    yield (), action
    inside: list[tuple[Place, Action]] = []
    if action.map is not None:
        inside.append((("map", "step"), action.map.step))
    if action.loop is not None:
        inside += [(("loop", "step"), action.loop.step)] if action.loop.step is not None else []
        inside += [(("loop", "steps", number), step) for number, step in enumerate(action.loop.steps)]
    for place, part in inside:
        for below, found in actions_in(part):
            yield (*place, *below), found


def _below(place: Place, action: Action) -> Iterator[tuple[Place, Step]]:
    for below, step in inner_steps(action):
        yield (*place, *below), step


def _of_step(step: Step, place: Place, scope: Scope) -> Iterator[Use]:
    if isinstance(step.when, str):
        yield Use((*place, "when"), step.when, True, scope)
    yield from _of_action(step, place, scope)


def _of_action(action: Action, place: Place, scope: Scope) -> Iterator[Use]:
    for field in TEMPLATED:
        yield from _templates(getattr(action, field), (*place, field), scope)
    yield from _templates(action.with_, (*place, "with"), scope)
    if action.wait is not None:
        yield from _of_wait(action.wait, (*place, "wait"), scope)
    if action.map is not None:
        yield from _of_map(action.map, (*place, "map"), scope)
    if action.loop is not None:
        yield from _of_loop(action.loop, (*place, "loop"), scope)


def _of_wait(wait: Wait, place: Place, scope: Scope) -> Iterator[Use]:
    if wait.until is not None and not is_moment(wait.until):
        yield Use((*place, "until"), wait.until, True, scope)
    if wait.event is not None:
        yield from _templates(wait.event.topic, (*place, "event", "topic"), scope)
        if wait.event.where is not None:
            yield Use((*place, "event", "where"), wait.event.where, True, scope.plus("event"))
    for field in ("approval", "question"):
        yield from _templates(getattr(wait, field), (*place, field), scope)


def _of_map(each: Map, place: Place, scope: Scope) -> Iterator[Use]:
    over = (*place, "over")
    if isinstance(each.over, str):
        yield Use(over, each.over, True, scope)
    elif isinstance(each.over, list):
        yield from _templates(each.over, over, scope)
    else:
        yield from _templates(each.over.artifact, (*over, "artifact"), scope)
    yield from _of_action(each.step, (*place, "step"), scope.plus(each.item, "index"))


def _of_loop(loop: Loop, place: Place, scope: Scope) -> Iterator[Use]:
    scope = replace(scope.plus("index", "last"), inner=scope.inner | {step.id for step in loop.steps})
    for field, text in (("while", loop.while_), ("until", loop.until)):
        if text is not None:
            yield Use((*place, field), text, True, scope)
    if loop.step is not None:
        yield from _of_action(loop.step, (*place, "step"), scope)
    for number, step in enumerate(loop.steps):
        yield from _of_step(step, (*place, "steps", number), scope)


def _templates(value: Any, place: Place, scope: Scope) -> Iterator[Use]:
    for found, text in templates_in(value, place):
        yield Use(found, text, False, scope)
