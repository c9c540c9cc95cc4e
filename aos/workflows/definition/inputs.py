"""Holds what a run is given against what its workflow declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.expressions import nearest
from aos.workflows.definition.workflow import Workflow

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def checked_inputs(workflow: Workflow, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a run, with the defaults of those that are left out. A workflow that declares none takes any.

    Raises:
        InvalidInput: one is missing, unknown or of another type; `details["errors"]` names all.
    """
    if not workflow.inputs:
        return dict(given)
    problems = [{"field": name, "problem": problem} for name, problem in _problems(workflow, given)]
    if problems:
        named = "; ".join(f"{item['field']}: {item['problem']}" for item in problems[:5])
        raise InvalidInput(
            f"The inputs of workflow {workflow.name!r} are not right: {named}.",
            code="inputs_invalid",
            details={"errors": problems},
        )
    return {name: given.get(name, declared.default) for name, declared in workflow.inputs.items()}


def type_problem(type: str, value: Any) -> str | None:
    """What is wrong with a value for a type, or None."""
    if type == "any":
        return None
    fits = isinstance(value, _TYPES[type]) and (type == "boolean" or not isinstance(value, bool))
    return None if fits else f"it is {_kind(value)}; it must be of type {type}"


def _problems(workflow: Workflow, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        (name, f"there is no such input. {nearest(name, list(workflow.inputs), none='Leave it out.')}".rstrip("."))
        for name in given
        if name not in workflow.inputs
    ]
    for name, declared in workflow.inputs.items():
        if name not in given:
            found += [(name, "it is missing")] if declared.is_required else []
            continue
        problem = type_problem(declared.type, given[name])
        if problem is not None and not (given[name] is None and not declared.is_required):
            found.append((name, problem))
    return found


def _kind(value: Any) -> str:
    """What a value is; never the value, which may be a secret."""
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        dict: "an object",
        list: "a list",
    }
    return kinds.get(type(value), "null")
