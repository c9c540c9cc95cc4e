"""Where a toolbox finds tools that are not registered in the process: those of other servers, found when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aos.tools.declaration import Tool


class ToolSource(Protocol):
    """Tools by grants, patterns such as `files.*`. `McpServers` is one."""

    async def granted(self, grants: Sequence[str]) -> list[Tool]:
        """All tools that fit a grant. Raises `AosError` where they cannot be found out."""

    async def find(self, name: str, grants: Sequence[str]) -> Tool | None:
        """The tool of this name, if a grant fits it. Raises `AosError` where it cannot be found out."""


class Further:
    """The tools of a source that one agent was granted. Without grants there are none, and no source is asked."""

    def __init__(self, source: ToolSource | None = None, grants: Sequence[str] = ()) -> None:
        self._source = source
        self.grants = tuple(grants)

    async def all(self) -> list[Tool]:
        """Raises as `ToolSource.granted`."""
        return await self._source.granted(self.grants) if self._source is not None and self.grants else []

    async def find(self, name: str) -> Tool | None:
        """Raises as `ToolSource.find`."""
        return await self._source.find(name, self.grants) if self._source is not None and self.grants else None
