"""The names a workflow may refer to: agents, tools, teams and other workflows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from aos.workflows.definition.workflow import Workflow


class Known(Protocol):
    """What there is. A collection that is None is not known, and not looked at."""

    @property
    def agents(self) -> Collection[str] | None:
        """Agent types, or whole addresses."""
        ...

    @property
    def tools(self) -> Collection[str] | None: ...

    @property
    def teams(self) -> Collection[str] | None: ...

    @property
    def workflows(self) -> Collection[str] | None: ...

    def workflow(self, name: str, version: str | None) -> Workflow | None:
        """A workflow of this name, of its latest version where none is given, if it is known."""
        ...


@dataclass(frozen=True, slots=True)
class KnownNames:
    """`Known`, as values."""

    agents: Collection[str] | None = None
    tools: Collection[str] | None = None
    teams: Collection[str] | None = None
    workflows: Collection[str] | None = None
    find: Callable[[str, str | None], Workflow | None] | None = None

    def workflow(self, name: str, version: str | None) -> Workflow | None:
        return self.find(name, version) if self.find is not None else None


def workflow_reference(text: str) -> tuple[str, str | None]:
    """Name and version of `name@version`."""
    name, _, version = text.partition("@")
    return name, version or None
