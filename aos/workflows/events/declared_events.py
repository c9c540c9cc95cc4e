"""The rules and patterns that are declared: in `<name>.rules.yaml` (or `.yml`, `.json`) beside the agents."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from aos.kernel.errors import AlreadyExists, AosError, InvalidInput
from aos.kernel.message import Message
from aos.workflows.declared_file import files_named, read_mapping
from aos.workflows.events.action import StartWorkflow
from aos.workflows.events.circles import circle_among
from aos.workflows.events.pattern import Pattern
from aos.workflows.events.rule import Rule

SUFFIXES = (".rules.yaml", ".rules.yml", ".rules.json")

log = logging.getLogger("aos.workflows")


class EventFile(BaseModel):
    """What a file declares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = ()
    patterns: tuple[Pattern, ...] = ()


class DeclaredEvents:
    """Rules and patterns by name, and which events are for which of them.

    Attributes:
        start: Starts workflows for them; None where there are none.
        warnings: What is odd about them, such as rules in a circle. It is logged, too.

    Raises:
        AlreadyExists: two have one name.
        InvalidInput: one starts a workflow, where there are none.
    """

    def __init__(self, files: Iterable[EventFile] = (), *, start: StartWorkflow | None = None) -> None:
        self.start = start
        self._rules: dict[str, Rule] = {}
        self._patterns: dict[str, Pattern] = {}
        for file in files:
            for rule in file.rules:
                _add(self._rules, rule, "rules")
            for pattern in file.patterns:
                _add(self._patterns, pattern, "patterns")
        if start is None:
            self._refuse_workflows()
        self.warnings = self._look()
        for warning in self.warnings:
            log.warning("%s", warning)

    @property
    def rules(self) -> Sequence[Rule]:
        return list(self._rules.values())

    @property
    def patterns(self) -> Sequence[Pattern]:
        return list(self._patterns.values())

    def rule(self, name: str) -> Rule | None:
        return self._rules.get(name)

    def pattern(self, name: str) -> Pattern | None:
        return self._patterns.get(name)

    def subscribers(self, event: Message) -> list[str]:
        """The rules and patterns that an event may be for."""
        declared: list[Rule | Pattern] = [*self.rules, *self.patterns]
        return [each.address for each in declared if each.concerns(event)]

    def _refuse_workflows(self) -> None:
        wanting = [
            *((rule.address, action) for rule in self.rules for action in rule.actions),
            *((pattern.address, action) for pattern in self.patterns for action in pattern.then),
        ]
        for address, action in wanting:
            if action.workflow is not None:
                raise InvalidInput(
                    f"{address!r} starts workflow {action.workflow!r}, and nothing here starts workflows. Send an "
                    "agent a message instead."
                )

    def _look(self) -> list[str]:
        circle = circle_among(self.rules, self.patterns)
        if not circle:
            return []
        return [f"Rules lead to each other in a circle, which is left after some rounds: {' -> '.join(circle)}."]


def read_event_files(folders: Iterable[str | Path]) -> list[EventFile]:
    """What the files of folders, and of what is in them, declare, in the order of their paths.

    Raises:
        InvalidInput: a file is not right; the message names it and what is wrong.
    """
    return [read_event_file(path) for path in files_named(folders, SUFFIXES)]


def read_event_file(path: Path) -> EventFile:
    """What a file declares. Raises `InvalidInput`."""
    content = read_mapping(path, "a mapping with `rules` and `patterns`")
    try:
        return EventFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except AosError as error:
        raise InvalidInput(f"{path}: {error.message}") from error


def _add(known: dict[str, Any], declared: Rule | Pattern, kind: str) -> None:
    if declared.name in known:
        raise AlreadyExists(f"There are two {kind} called {declared.name!r}. Give one another `name`.")
    known[declared.name] = declared
