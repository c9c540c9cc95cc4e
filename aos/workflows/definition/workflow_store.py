"""Keeps workflows: each version for good under its digest, and by name which version is the latest."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from aos.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotAllowedNow, NotFound, StoreUnavailable
from aos.kernel.message import format_time
from aos.kernel.ports import BlobStore, Clock, Entity, Insert, Operation, Page, Replace, TableStore, Upsert
from aos.workflows.definition.graph import Graph, as_graph
from aos.workflows.definition.known import workflow_reference
from aos.workflows.definition.workflow import VERSION_LENGTH, Workflow

TABLE = "workflows"
PARTITION = "definitions"
BLOBS = "workflows/"
MAX_BYTES = 4 * 1024 * 1024
_LAST = 10**8
"""Numbers of versions count down from here, so that the newest comes first."""
_TRIES = 10
_CACHED = 256


class WorkflowStore:
    """A store of workflows. A version never changes, so that a run keeps the one it started with.

    Args:
        packaged: The workflows that come with the application, by name. They cannot be replaced.
    """

    def __init__(
        self, tables: TableStore, blobs: BlobStore, clock: Clock, packaged: Mapping[str, Workflow] | None = None
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._clock = clock
        self.packaged = dict(packaged or {})
        self._graphs: OrderedDict[str, Graph] = OrderedDict()
        self._kept: set[str] = set()

    async def put(self, workflow: Workflow, *, only_new: bool = False, by: str | None = None) -> dict[str, Any]:
        """Keep a workflow, as the latest of its name. The latest as it is already makes no new version.

        Args:
            workflow: What was checked before.
            only_new: Refuse it where there is one of this name.
            by: Who puts it.

        Returns:
            `name`, `version`, `digest`, `number` (1 for the first of this name), `title`, `revision`, `at`, `by`.

        Raises:
            AlreadyExists: a workflow of this name comes with the application, or `only_new` says so.
            InvalidInput: it is no graph, or too large.
            StoreUnavailable: it could not be kept.
        """
        if workflow.name in self.packaged and self.packaged[workflow.name].digest != workflow.digest:
            raise AlreadyExists(f"Workflow {workflow.name!r} comes with the application. Choose another name.")
        return await self._keep(workflow, only_new=only_new, by=by)

    async def get(self, digest: str) -> Workflow:
        """The workflow of a digest. Raises `NotFound`."""
        return (await self.graph(digest)).workflow

    async def graph(self, digest: str) -> Graph:
        """The graph of a workflow, by its digest; read once in a process. Raises `NotFound`."""
        found = self._graphs.get(digest)
        if found is not None:
            self._graphs.move_to_end(digest)
            return found
        content = await self._blobs.get(_blob(digest))
        if content is None:
            raise NotFound(f"There is no workflow with the digest {digest}.")
        graph = as_graph(Workflow.from_json(json.loads(content)))
        self._remember(digest, graph)
        return graph

    async def find(self, reference: str) -> Workflow:
        """The workflow of `name`, its latest version, or of `name@version`. Raises `NotFound`."""
        name, version = workflow_reference(reference)
        packaged = self.packaged.get(name)
        if packaged is not None and version in (None, packaged.version):
            if packaged.digest not in self._kept:
                await self._keep(packaged, only_new=False, by="application")
            return packaged
        return await self.get(await self._digest(name, version))

    async def latest(self, name: str) -> dict[str, Any] | None:
        """The latest version of a name as `put` shows it, or None."""
        found = await self._tables.get(TABLE, PARTITION, _current(name))
        return None if found is None else _shown(found)

    async def names(self, *, limit: int = 100, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        """The latest version of each name as `put` shows it, in order of names, and where to go on.

        Those that come with the application are among them once they were run.
        """
        page = await self._scan("current|", limit, cursor)
        return [_shown(row) for row in page.entities], page.cursor

    async def versions(
        self, name: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """All versions of a name as `put` shows them, newest first, and where to go on. Raises `NotFound`."""
        page = await self._scan(f"v|{name}|", limit, cursor)
        if not page.entities and cursor is None:
            raise _unknown(name, None)
        return [_shown(row) for row in page.entities], page.cursor

    async def _scan(self, start: str, limit: int, cursor: str | None) -> Page:
        before = start[:-1] + chr(ord(start[-1]) + 1)
        return await self._tables.scan(TABLE, PARTITION, first=start, before=before, limit=limit, cursor=cursor)

    async def _digest(self, name: str, version: str | None) -> str:
        if version is not None and len(version) < VERSION_LENGTH:
            raise InvalidInput(
                f"{version!r} is no version. It has {VERSION_LENGTH} characters, as in the list of them."
            )
        row = _current(name) if version is None else _of_version(name, version[:VERSION_LENGTH])
        found = await self._tables.get(TABLE, PARTITION, row)
        if found is None or (version is not None and not str(found.values["digest"]).startswith(version)):
            raise _unknown(name, version)
        return str(found.values["digest"])

    async def _keep(self, workflow: Workflow, *, only_new: bool, by: str | None) -> dict[str, Any]:
        graph, content = as_graph(workflow), workflow.canonical()
        if len(content) > MAX_BYTES:
            raise InvalidInput(f"Workflow {workflow.name!r} is over {MAX_BYTES:,} bytes. Split it into workflows.")
        await self._blobs.put(_blob(workflow.digest), content, content_type="application/json")
        for _ in range(_TRIES):
            current = await self._tables.get(TABLE, PARTITION, _current(workflow.name))
            if current is not None and only_new:
                raise AlreadyExists(
                    f"There is a workflow {workflow.name!r} already. Replace it, or choose another name."
                )
            if current is None or current.values["digest"] != workflow.digest:
                try:
                    current = await self._add(workflow, current, by)
                except Conflict:
                    continue
            self._remember(workflow.digest, graph)
            self._kept.add(workflow.digest)
            return _shown(current)
        raise StoreUnavailable(f"Workflow {workflow.name!r} is being changed by many at once. Try again.")

    async def _add(self, workflow: Workflow, current: Entity | None, by: str | None) -> Entity:
        number = 1 if current is None else _number(current) + 1
        if number >= _LAST:
            raise NotAllowedNow(f"Workflow {workflow.name!r} has too many versions. Choose another name.")
        values: dict[str, Any] = {
            "name": workflow.name,
            "digest": workflow.digest,
            "number": number,
            "title": workflow.title,
            "at": format_time(self._clock.now()),
        }
        values |= {} if by is None else {"by": by}
        values |= {} if workflow.revision is None else {"revision": workflow.revision}
        latest = Entity(PARTITION, _current(workflow.name), values)
        first: Operation = Insert(latest) if current is None else Replace(latest, current.etag or "")
        rows = [f"v|{workflow.name}|{_LAST - number:08d}", _of_version(workflow.name, workflow.version)]
        await self._tables.commit(TABLE, [first, *(Upsert(Entity(PARTITION, row, values)) for row in rows)])
        return latest

    def _remember(self, digest: str, graph: Graph) -> None:
        self._graphs[digest] = graph
        self._graphs.move_to_end(digest)
        while len(self._graphs) > _CACHED:
            self._graphs.popitem(last=False)


def _shown(row: Entity) -> dict[str, Any]:
    values = row.values
    digest = str(values["digest"])
    return {
        "name": values["name"],
        "version": digest[:VERSION_LENGTH],
        "digest": digest,
        "number": values["number"],
        "title": values["title"],
        "revision": values.get("revision"),
        "at": values["at"],
        "by": values.get("by"),
    }


def _number(row: Entity) -> int:
    value = row.values["number"]
    assert isinstance(value, int)  # noqa: S101  # as `_add` wrote it
    return value


def _unknown(name: str, version: str | None) -> NotFound:
    what = f"There is no workflow {name!r}" + (f" of version {version!r}." if version else ".")
    return NotFound(f"{what} The list of workflows has those there are.", code="unknown_workflow")


def _current(name: str) -> str:
    return f"current|{name}"


def _of_version(name: str, version: str) -> str:
    return f"d|{name}|{version}"


def _blob(digest: str) -> str:
    return f"{BLOBS}{digest}.json"
