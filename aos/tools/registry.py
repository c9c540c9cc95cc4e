"""The registry: which tools there are in this process, and how each has done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aos.kernel.errors import AlreadyExists, NotFound
from aos.tools.attempt import Workbench
from aos.tools.declaration import Tool
from aos.tools.statistics import ToolStatistics


class ToolRegistry:
    """Tools by name. An agent sees none of them until it is granted some.

    Args:
        tools: What there is from the start.
        bench: What calls are made with.
    """

    def __init__(self, tools: Iterable[Tool] = (), *, bench: Workbench | None = None) -> None:
        self.bench = bench or Workbench()
        self._tools: dict[str, Tool] = {}
        self._statistics: dict[str, ToolStatistics] = {}
        for tool in tools:
            self.register(tool)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def register(self, tool: Tool) -> None:
        """Add a tool; adding the same one again changes nothing. Raises `AlreadyExists` where its name is taken."""
        if self._tools.setdefault(tool.name, tool) is not tool:
            raise AlreadyExists(f"There is a tool {tool.name!r} already. Choose another name.")

    def get(self, name: str) -> Tool:
        """A tool. Raises `NotFound`, naming those there are."""
        found = self._tools.get(name)
        if found is None:
            known = ", ".join(sorted(self._tools)) or "none"
            raise NotFound(f"Tool {name!r} not found. There are: {known}.", code="tool_not_found")
        return found

    def granted(self, grants: Iterable[Tool | str]) -> dict[str, Tool]:
        """The tools of an allow-list, by name. Raises `NotFound` for a name that nobody registered."""
        tools = [self.get(grant) if isinstance(grant, str) else grant for grant in grants]
        return {tool.name: tool for tool in tools}

    def statistics(self, name: str) -> ToolStatistics:
        """How a tool has done in this process."""
        return self._statistics.setdefault(name, ToolStatistics())

    def rows(self) -> list[dict[str, Any]]:
        """All tools with their statistics, in alphabetical order."""
        return [
            {**self._tools[name].row(), "statistics": self.statistics(name).to_json()} for name in sorted(self._tools)
        ]
