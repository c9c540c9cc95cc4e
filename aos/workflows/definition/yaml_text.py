"""Reads YAML and JSON that people wrote, and keeps the line each value is on.

YAML is read as version 1.2 has it: `on`, `yes` and times are texts, and keys may not repeat. Aliases, with which a
small text can become very large, are not taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.templates import Place

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 60
_TAG = "tag:yaml.org,2002:"
_RESOLVED = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
)


class Lines:
    """Which line of a text each of its values is on."""

    def __init__(self, source: str, node: Any = None) -> None:
        self.source = source
        self._node = node

    def of(self, place: Place) -> int:
        """The line, from 1, of a value or of the nearest thing around it that is there; 0 where lines are not known."""
        if self._node is None:
            return 0
        node, line = self._node, self._node.start_mark.line
        for part in place:
            found = next(((key, value) for name, key, value in _children(node) if name == part), None)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line
        return int(line) + 1

    def at(self, place: Place) -> str:
        """`flows/refund.workflow.yaml, line 12`."""
        line = self.of(place)
        return f"{self.source}, line {line}" if line else self.source


def read_yaml(text: str, source: str) -> tuple[Any, Lines]:
    """The value of a YAML text, and its lines.

    Raises:
        InvalidInput: it is not YAML, a key is there twice, or it is too long; the message names source and line.
    """
    import yaml

    _check_length(text, source)
    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        lines = Lines(source, node)
        for line, key in _repeated(node):
            raise _wrong(source, line, f"`{key}` is there twice. Keep one of them.")
        return (None if node is None else loader.construct_document(node)), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise _wrong(source, mark.line if mark else 0, f"this YAML cannot be read: {problem}. Correct it.") from error
    finally:
        loader.dispose()


def read_json(text: str, source: str) -> tuple[Any, Lines]:
    """The value of a JSON text, and its lines. Raises `InvalidInput` as `read_yaml`."""
    import yaml

    _check_length(text, source)
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise _wrong(source, error.lineno - 1, f"this JSON cannot be read: {error.msg}. Correct it.") from error
    except _Twice as error:
        raise InvalidInput(f"{source}: `{error}` is there twice in one object. Keep one of them.") from error
    except RecursionError as error:
        raise InvalidInput(f"{source}: it is nested too deep. Split it.") from error
    try:
        # JSON allows tabs only where they mean nothing; YAML allows none there.
        return value, Lines(source, yaml.compose(text.replace("\t", " "), Loader=_loader()))
    except (yaml.YAMLError, RecursionError):
        return value, Lines(source)


class _Twice(ValueError):
    """A key that is there twice in a JSON object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found


def _check_length(text: str, source: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"{source} is longer than {MAX_CHARACTERS:,} characters. Split it into workflows.")


def _wrong(source: str, line: int, problem: str) -> InvalidInput:
    return InvalidInput(f"{source}, line {line + 1}: {problem}")


def _repeated(node: Any) -> Iterator[tuple[int, str]]:
    waiting = [node]
    while waiting:
        found = waiting.pop()
        names: set[str | int] = set()
        for name, key, value in _children(found):
            if name in names:
                yield key.start_mark.line, str(name)
            names.add(name)
            waiting.append(value)


def _children(node: Any) -> list[tuple[str | int, Any, Any]]:
    """Name, the node that has its line, and its value, of each part of a YAML node."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), key, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [(number, value, value) for number, value in enumerate(node.value)]
    return []


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes for other than text what YAML 1.2 does, and neither aliases nor endless nesting."""

        depth = 0
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own, as `add_implicit_resolver` fills it

        def compose_node(self, parent: Any, index: Any) -> Any:
            parser: Any = self
            mark = parser.peek_event().start_mark
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(
                    problem="aliases (`*name`) are not taken, write the value out", problem_mark=mark
                )
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise yaml.composer.ComposerError(problem="it is nested too deep", problem_mark=mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    for name, pattern, first in _RESOLVED:
        Loader.add_implicit_resolver(_TAG + name, re.compile(rf"^(?:{pattern})$"), first)
    return Loader
