"""The workflows of a system: read, held against what there is, kept and found again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from aos.agents import AgentRegistry
from aos.kernel.errors import InvalidInput
from aos.mcp.servers import McpServers
from aos.workflows.definition.check import check
from aos.workflows.definition.known import KnownNames
from aos.workflows.definition.problem import Problem
from aos.workflows.definition.stored_references import known_for
from aos.workflows.definition.usage import actions_in
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_file import WorkflowFile, listed_fields, parse_unchecked
from aos.workflows.definition.workflow_store import WorkflowStore


class Definitions:
    """Takes in workflows that fit this system, and gives them out.

    Attributes:
        store: Where they are kept.
    """

    def __init__(
        self,
        store: WorkflowStore,
        registry: AgentRegistry,
        servers: Callable[[], McpServers],
        teams: Callable[[], Collection[str]],
    ) -> None:
        self.store = store
        self._registry = registry
        self._servers = servers
        self._teams = teams

    async def read(self, text: str, *, source: str = "workflow", name: str = "", is_json: bool = False) -> WorkflowFile:
        """A workflow from the text of a file, with nothing wrong in it and all there that it refers to.

        Args:
            text: YAML, or JSON.
            source: What the text is called where something is wrong with it.
            name: Of the workflow, where the text gives none.
            is_json: Whether it is JSON.

        Raises:
            InvalidInput: it is not right; `details["problems"]` has all that is wrong.
        """
        file = parse_unchecked(text, source=source, name=name, is_json=is_json)
        file.refuse_problems(await self.known_for(file.workflow))
        return file

    async def problems(
        self, text: str, *, source: str = "workflow", name: str = "", is_json: bool = False
    ) -> tuple[Workflow | None, list[dict[str, Any]]]:
        """All that is wrong with the text of a workflow: `code`, `where`, `message` and, where it is known, `line`.

        Returns:
            The workflow, where the text has the shape of one, and the problems.
        """
        try:
            file = parse_unchecked(text, source=source, name=name, is_json=is_json)
        except InvalidInput as error:
            return None, listed_fields(error, source)
        return file.workflow, file.listed(await self.check(file.workflow))

    async def check(self, workflow: Workflow) -> list[Problem]:
        """All that is wrong with a workflow here."""
        return check(workflow, await self.known_for(workflow))

    async def put(self, workflow: Workflow, *, by: str | None = None) -> tuple[dict[str, Any], bool]:
        """Keep a workflow as the latest of its name; what was read before is not checked again.

        Returns:
            The version as `WorkflowStore.put` shows it, and whether it is a new one.

        Raises:
            AlreadyExists: one of this name comes with the application.
        """
        before = await self.store.latest(workflow.name)
        kept = await self.store.put(workflow, by=by)
        return kept, before is None or before["digest"] != kept["digest"]

    async def names(self, *, limit: int = 100, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        """The latest version of each workflow, in order of names, and where to go on."""
        for name in self.store.packaged:
            await self.store.find(name)  # which keeps it, so that it is in the list
        return await self.store.names(limit=limit, cursor=cursor)

    async def versions(
        self, name: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """All versions of a workflow, newest first, and where to go on. Raises `NotFound`."""
        if name in self.store.packaged:
            await self.store.find(name)
        return await self.store.versions(name, limit=limit, cursor=cursor)

    async def find(self, reference: str) -> Workflow:
        """The workflow of `name` or `name@version`. Raises `NotFound`, `InvalidInput`."""
        return await self.store.find(reference)

    async def known_for(self, workflow: Workflow) -> KnownNames:
        """The names that a workflow may refer to. Tools of MCP servers are known by their server."""
        agents = {agent.type for agent in self._registry}
        tools = {tool.name for tool in self._registry.surroundings.tools}
        servers = {server.config.name for server in self._servers()}
        tools |= {name for name in _tools_used(workflow) if name.partition(".")[0] in servers}
        return await known_for(workflow, self.store, agents=agents, tools=tools, teams=self._teams())


def _tools_used(workflow: Workflow) -> set[str]:
    called = {action.tool for step in workflow.steps for _, action in actions_in(step)}
    undone = {step.compensate.tool for step in workflow.steps if step.compensate is not None}
    return {name for name in called | undone if name}
