"""Reads workflows from files, `*.workflow.yaml`, `.yml` or `.json`, with the line of everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aos.kernel.errors import AlreadyExists, InvalidInput
from aos.workflows.definition.check import check
from aos.workflows.definition.field_problems import field_problems
from aos.workflows.definition.known import Known
from aos.workflows.definition.problem import Problem
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.step import Compensation, Loop, Map, Step
from aos.workflows.definition.templates import Place
from aos.workflows.definition.wait import EventWait, Wait
from aos.workflows.definition.workflow import Input, Workflow
from aos.workflows.definition.yaml_text import Lines, read_json, read_yaml

SUFFIXES = (".workflow.yaml", ".workflow.yml", ".workflow.json")
_SHOWN = 5
_FIELDS = sorted(
    {
        field.alias or name
        for model in (Workflow, Input, Step, Map, Loop, Retry, Wait, EventWait, Compensation)
        for name, field in model.model_fields.items()
    }
)


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A workflow, and the text it was read from.

    Attributes:
        lines: For what is found wrong with it later.
    """

    workflow: Workflow
    lines: Lines

    def refuse_problems(self, known: Known | None = None) -> None:
        """Raise `InvalidInput` with all that `check` finds, each with its line, if it finds anything."""
        problems = check(self.workflow, known)
        if problems:
            found = [f"{self.lines.at(problem.place)}: {problem}" for problem in problems]
            raise _error(found, self.listed(problems))

    def listed(self, problems: Iterable[Problem]) -> list[dict[str, Any]]:
        """Problems as JSON, each with its `line` where that is known."""
        return [{**problem.to_json(), **_line(self.lines, problem.place)} for problem in problems]


def read_workflow_file(path: Path, *, known: Known | None = None) -> WorkflowFile:
    """Read one file.

    Args:
        path: The file; without a `name` in it, its name up to `.workflow` is the workflow's.
        known: The names it may refer to.

    Raises:
        InvalidInput: it is not a workflow; the message names the file, the lines, and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}. It must be a text file in UTF-8.") from error
    return parse_workflow(text, source=str(path), name=name_by(path), is_json=path.suffix == ".json", known=known)


def name_by(path: Path) -> str:
    """The name of the workflow in a file that gives it none: the file's own, up to `.workflow`."""
    return next((path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.endswith(suffix)), path.stem)


def find_workflow_files(folders: Iterable[str]) -> list[Path]:
    """The workflow files of folders and of the folders right below them, in order."""
    return sorted(
        path
        for folder in folders
        for suffix in SUFFIXES
        for pattern in (f"*{suffix}", f"*/*{suffix}")
        for path in Path(folder).glob(pattern)
    )


def read_workflow_files(folders: Iterable[str]) -> dict[str, WorkflowFile]:
    """The workflows in the files of folders, by name.

    Raises:
        InvalidInput: a file is not right.
        AlreadyExists: two have one name.
    """
    found: dict[str, WorkflowFile] = {}
    for path in find_workflow_files(folders):
        file = read_workflow_file(path)
        name = file.workflow.name
        if name in found:
            raise AlreadyExists(f"{path}: {found[name].lines.source} has workflow {name!r} already. Rename one.")
        found[name] = file
    return found


def parse_workflow(
    text: str, *, source: str = "workflow", name: str = "", is_json: bool = False, known: Known | None = None
) -> WorkflowFile:
    """As `read_workflow_file`, for text that was read already."""
    file = parse_unchecked(text, source=source, name=name, is_json=is_json)
    file.refuse_problems(known)
    return file


def parse_unchecked(text: str, *, source: str = "workflow", name: str = "", is_json: bool = False) -> WorkflowFile:
    """As `parse_workflow`, for those that look at what `check` finds themselves. Raises `InvalidInput`."""
    values, lines = (read_json if is_json else read_yaml)(text.removeprefix("\ufeff"), source)
    try:
        workflow = Workflow.model_validate(_named(values, name, source))
    except ValidationError as error:
        raise _of_fields(error, lines) from error
    return WorkflowFile(workflow, lines)


def workflow_from_json(values: Any, *, name: str = "workflow") -> Workflow:
    """A workflow from JSON, which may lack a name. What `check` finds is not looked for.

    Raises:
        InvalidInput: it has not the shape of one; each field that is wrong is named.
    """
    try:
        return Workflow.model_validate(_named(values, name, "The workflow"))
    except ValidationError as error:
        raise _of_fields(error, Lines("workflow")) from error


def listed_fields(error: InvalidInput, source: str) -> list[dict[str, Any]]:
    """What is wrong with a text that has not the shape of a workflow, as `WorkflowFile.listed` shows problems."""
    found = [
        {"code": "field", "where": field.pop("field"), "message": field.pop("problem"), **field}
        for field in map(dict, error.details.get("problems", ()))
    ]
    return found or [{"code": error.code, "where": source, "message": error.message}]


def _named(values: Any, name: str, source: str) -> dict[str, Any]:
    """The fields with a name: the metadata's, or the one that is given, where there is none."""
    if not isinstance(values, dict):
        raise InvalidInput(f"{source} must be an object with `steps`: name, steps, and what docs/workflows.md lists.")
    if "name" in values:
        return values
    metadata = values.get("metadata")
    wanted = metadata.get("name") if isinstance(metadata, dict) else None
    slug = re.sub(r"[^a-z0-9._-]+", "-", str(wanted or name).lower()).strip("-._")[:63]
    return {"name": slug or "workflow", **values}


def _of_fields(error: ValidationError, lines: Lines) -> InvalidInput:
    found = field_problems(error, _FIELDS)
    fields = [{"field": _dotted(place), "problem": problem, **_line(lines, place)} for place, problem in found]
    return _error(
        [
            f"{lines.at(place)}: `{_dotted(place)}`: {problem}{'' if problem.endswith('?') else '.'}"
            for place, problem in found
        ],
        fields,
    )


def _error(found: list[str], details: list[dict[str, Any]]) -> InvalidInput:
    more = f" And {len(found) - _SHOWN} more." if len(found) > _SHOWN else ""
    return InvalidInput(" ".join(found[:_SHOWN]) + more, code="workflow_invalid", details={"problems": details})


def _line(lines: Lines, place: Place) -> dict[str, int]:
    number = lines.of(place)
    return {"line": number} if number else {}


def _dotted(place: Sequence[str | int]) -> str:
    return ".".join(map(str, place)) or "workflow"
