"""What an analyser is, and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

from aos import __version__
from aos.tools.review.finding import Domain, Finding
from aos.tools.review.source_tree import SourceTree

Metric: TypeAlias = int | float | str | dict[str, int]
_FILES_HELD = 8


@dataclass(frozen=True)
class Analysis:
    """What a tool found, all of it, and what it measured."""

    findings: list[Finding] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True)
class Analyser:
    """A tool that can be run on a source tree.

    Attributes:
        name: Of the tool, as in `Finding.tool`.
        domain: The review it belongs to.
        analyse: Runs it. Raises `ToolFailed`, `ToolTimedOut` or `ToolMissing` rather than finding nothing.
        distribution: The package whose version counts; None for our own checks.
        python_only: Whether it has nothing to say about a tree without Python files.
    """

    name: str
    domain: Domain
    analyse: Callable[[SourceTree], Awaitable[Analysis]]
    distribution: str | None = None
    python_only: bool = False

    def applies_to(self, tree: SourceTree) -> bool:
        return bool(tree.python) or not self.python_only

    @property
    def version(self) -> str:
        if self.distribution is None:
            return __version__
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return "unknown"


class Evidence:
    """Reads offending lines; findings come file by file, so a few files are held."""

    def __init__(self, tree: SourceTree) -> None:
        self._lines = lru_cache(maxsize=_FILES_HELD)(lambda path: tree.read(path).split("\n"))

    def line(self, path: str, number: int | None) -> str:
        """One line, 1-based; empty if there is none. Blocking."""
        if not number:
            return ""
        lines = self._lines(path)
        return lines[number - 1] if number <= len(lines) else ""


def not_analysed(tool: str, domain: Domain, failed: Iterable[tuple[str, str]]) -> list[Finding]:
    """A file that a tool cannot read is not a file without findings: it is said."""
    return [
        Finding(
            tool=tool,
            rule="not-analysed",
            severity="info",
            file=path,
            title=f"{tool} could not analyse this file: {reason}",
            remedy="Mend the file so that it can be parsed; until then nothing is known about it.",
            domain=domain,
        )
        for path, reason in failed
    ]
