"""Finds what is wrong with requests to people and teams that steps spell out, as far as no template hides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.field_problems import field_problems
from aos.workflows.definition.problem import Problem, dotted
from aos.workflows.definition.step import Action
from aos.workflows.definition.templates import Place, templates_in
from aos.workflows.definition.usage import actions_in
from aos.workflows.definition.wait import Wait
from aos.workflows.definition.workflow import Workflow


def field_problems_of(workflow: Workflow) -> Iterator[Problem]:
    """Problems with the fields of approvals, questions and teams."""
    for number, step in enumerate(workflow.steps):
        for below, action in actions_in(step):
            for place, message in _of_action(action):
                where = (*below, *place)
                yield Problem("bad_field", f"step {step.id!r}, {dotted(where)}", message, ("steps", number, *where))


def request_fields(wait: Wait) -> dict[str, Any]:
    """The fields of the `HumanRequest` that an approval or a question is, before its templates are filled in."""
    if wait.approval is not None:
        return {**wait.approval, "kind": "approval"}
    fields = wait.question or {}
    return {"kind": "choice" if fields.get("choices") else "question", **fields}


def _of_action(action: Action) -> Iterator[tuple[Place, str]]:
    if action.wait is not None and action.wait.kind in ("approval", "question"):
        yield from ((("wait", action.wait.kind, *place), said) for place, said in _of_request(action.wait))
    if isinstance(action.team, dict) and not any(templates_in(action.team)):
        from aos.workflows.teams.definition import parse_team

        try:
            parse_team(action.team)
        except InvalidInput as error:
            yield ("team",), error.message


def _of_request(wait: Wait) -> list[tuple[Place, str]]:
    """What is wrong with a request, apart from what a template may yet put right."""
    from aos.workflows.human.request import HumanRequest

    fields = request_fields(wait)
    try:
        HumanRequest.model_validate(fields)
    except ValidationError as error:
        hidden = {place[0] for place, _ in templates_in(fields)}
        names = [field.alias or name for name, field in HumanRequest.model_fields.items()]
        return [
            (place, said if said.endswith("?") else f"{said}.")
            for place, said in field_problems(error, names)
            if not (place[0] in hidden if place else hidden)
        ]
    return []
