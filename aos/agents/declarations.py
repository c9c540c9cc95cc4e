"""The agents declared at run time: stored with their versions, in force in every process within seconds."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from aos.agents.declaration import Declaration
from aos.agents.declared_purpose import agent_of
from aos.agents.registry import AgentRegistry
from aos.kernel.errors import (
    AlreadyExists,
    Conflict,
    InfrastructureError,
    InvalidInput,
    NotAllowedNow,
    NotFound,
    PayloadTooLarge,
    StoreUnavailable,
)
from aos.kernel.message import format_time
from aos.kernel.ports import Clock, Entity, Insert, Operation, Replace, TableStore, Upsert, Value
from aos.kernel.scanning import all_rows

TABLE = "declarations"
PARTITION = "agents"
REVISION = "revision"
FRESH = 5.0
"""Seconds after which a look for changes is due; it does not hold up the turn that notices."""
STALE = 15.0
"""Seconds after which a turn waits for that look."""
_MAX_BYTES = 60_000
_TRIES = 10

log = logging.getLogger("aos.agents")


class Declarations:
    """Keeps declarations, and has them in force in the registry.

    One row counts changes. A process reads it at most once in five seconds, and the declarations only when the count
    has changed.

    Args:
        registry: Where they are in force.
        tables: Where they are kept.
        clock: When it is time to look for changes.
        servers: Names of the MCP servers there are. Tools of others are not granted.
    """

    def __init__(
        self, registry: AgentRegistry, tables: TableStore, clock: Clock, *, servers: Collection[str] = frozenset()
    ) -> None:
        self._registry = registry
        self._tables = tables
        self._clock = clock
        self._servers = servers
        self._revision = -1
        self._looked = float("-inf")
        self._digests: dict[str, str] = {}
        self._looking: asyncio.Task[None] | None = None

    async def keep_fresh(self, agent_type: str | None = None) -> None:
        """See to it that what is in force is no older than fifteen seconds; mostly without waiting.

        Args:
            agent_type: Who is about to be woken; an unknown one is looked for at once.

        Raises:
            StoreUnavailable: what is in force is too old, and cannot be renewed now.
        """
        age = self._clock.monotonic() - self._looked
        unknown = agent_type is not None and self._registry.behaviour(agent_type) is None
        if age >= STALE or unknown:
            await self.refresh()
        elif age >= FRESH and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._refresh_behind())

    async def refresh(self) -> None:
        """Bring into force what was changed. One storage operation where nothing was. Raises `StoreUnavailable`."""
        row = await self._tables.get(TABLE, PARTITION, REVISION)
        revision = _number(row, "revision")
        if revision != self._revision:
            await self._load()
            self._revision = revision
        self._looked = self._clock.monotonic()

    async def get(self, agent_id: str, version: int | None = None) -> dict[str, Any]:
        """A declaration: `id`, `version`, `declared_at`, `deleted`, `declaration`. Raises `NotFound`."""
        name = _current(agent_id) if version is None else _version(agent_id, version)
        row = await self._tables.get(TABLE, PARTITION, name)
        if row is None or (version is None and row.values["deleted"]):
            raise NotFound(
                f"There is no declaration of {agent_id!r}{f' of version {version}' if version else ''}. Agents that "
                "come with the application are not among them."
            )
        return _shown(row)

    async def versions(self, agent_id: str) -> list[dict[str, Any]]:
        """All versions of a declaration, oldest first, without the instructions. Raises `NotFound`."""
        start = _version(agent_id, 0)
        page = await self._tables.scan(TABLE, PARTITION, first=start, before=f"v|{agent_id}|:", limit=1_000)
        if not page.entities:
            raise NotFound(f"There is no declaration of {agent_id!r}.")
        return [{k: v for k, v in _shown(row).items() if k != "declaration"} for row in page.entities]

    async def put(
        self, declaration: Declaration, *, only_new: bool = False, expected: int | None = None
    ) -> dict[str, Any]:
        """Declare an agent, or change what was declared; in force here at once, and elsewhere within seconds.

        Args:
            declaration: What is declared. The same as before makes no new version.
            only_new: Refuse it where there is one of this id.
            expected: Refuse it where the version in force is another.

        Returns:
            As `get`.

        Raises:
            AlreadyExists: the id belongs to an agent of the application, or `only_new` says so.
            NotAllowedNow: the version is not the expected one.
            InvalidInput: it is granted tools of an MCP server that is not configured.
            PayloadTooLarge: it does not fit a table row.
        """
        if missing := declaration.missing_servers(self._servers):
            raise InvalidInput(f"The declaration is not right: {' '.join(missing)}")
        if self._registry.is_fixed(declaration.id):
            raise AlreadyExists(f"Agent type {declaration.id!r} comes with the application. Choose another id.")
        body = zlib.compress(json.dumps(declaration.to_json(), ensure_ascii=False).encode())
        if len(body) > _MAX_BYTES:
            raise PayloadTooLarge(f"The declaration of {declaration.id!r} is too long. Shorten its instructions.")

        def change(current: Entity | None) -> Mapping[str, Value] | None:
            exists = current is not None and not current.values["deleted"]
            if only_new and exists:
                raise AlreadyExists(
                    f"Agent {declaration.id!r} is declared already. Replace it with PUT, or choose another id."
                )
            _expect(declaration.id, _number(current, "version") if exists else 0, expected)
            same = exists and current is not None and current.values["digest"] == declaration.digest
            return None if same else {"body": body, "digest": declaration.digest, "deleted": False}

        return await self._change(declaration.id, change)

    async def delete(self, agent_id: str, *, expected: int | None = None) -> None:
        """Take a declared agent out of force. It keeps its state and its versions. Raises as `get` and `put`."""
        if self._registry.is_fixed(agent_id):
            raise NotAllowedNow(f"Agent type {agent_id!r} comes with the application. Remove it there.")

        def change(current: Entity | None) -> Mapping[str, Value]:
            if current is None or current.values["deleted"]:
                raise NotFound(f"There is no declaration of {agent_id!r}.")
            _expect(agent_id, _number(current, "version"), expected)
            return {"body": current.values["body"], "digest": current.values["digest"], "deleted": True}

        await self._change(agent_id, change)

    async def _change(self, agent_id: str, change: Any) -> dict[str, Any]:
        """Write what `change` makes of the current row, in one transaction with the count of changes."""
        for _ in range(_TRIES):
            counter = await self._tables.get(TABLE, PARTITION, REVISION)
            current = await self._tables.get(TABLE, PARTITION, _current(agent_id))
            values = change(current)
            if values is None:
                return await self.get(agent_id)
            version = _number(current, "version") + 1
            row = {"id": agent_id, "version": version, "at": format_time(self._clock.now()), **values}
            count = Entity(PARTITION, REVISION, {"revision": _number(counter, "revision") + 1})
            counted: Operation = Insert(count) if counter is None else Replace(count, counter.etag or "")
            try:
                await self._tables.commit(
                    TABLE,
                    [
                        counted,
                        Upsert(Entity(PARTITION, _current(agent_id), row)),
                        Insert(Entity(PARTITION, _version(agent_id, version), row)),
                    ],
                )
            except Conflict:
                continue
            await self.refresh()
            return _shown(Entity(PARTITION, _current(agent_id), row))
        raise StoreUnavailable(f"The declaration of {agent_id!r} is being changed by many at once. Try again.")

    async def _load(self) -> None:
        wanted: dict[str, tuple[str, Declaration]] = {}
        for row in await self._rows():
            declaration = None if row.values["deleted"] else _read(row)
            if declaration is not None and declaration.enabled and not self._registry.is_fixed(declaration.id):
                wanted[declaration.id] = (str(row.values["digest"]), declaration)
        for agent_type in [known for known in self._digests if known not in wanted]:
            self._registry.withdraw(agent_type)
            del self._digests[agent_type]
        for agent_type, (digest, declaration) in wanted.items():
            if self._digests.get(agent_type) != digest:
                self._registry.declare(agent_of(declaration))
                self._digests[agent_type] = digest

    async def _rows(self) -> list[Entity]:
        return await all_rows(self._tables, TABLE, PARTITION, first="current|", before="current}")

    async def _refresh_behind(self) -> None:
        try:
            await self.refresh()
        except InfrastructureError as error:
            log.warning("declared agents are as of a while ago", extra={"code": error.code})


def read_declaration(values: Any, *, id: str | None = None) -> Declaration:
    """A declaration from JSON. Raises `InvalidInput`, naming each field that is wrong."""
    given = {**values, "id": id} if id is not None and isinstance(values, dict) else values
    try:
        return Declaration.model_validate(given)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, item["loc"])) or "declaration", "problem": item["msg"]}
            for item in error.errors()
        ]
        named = "; ".join(f"{item['field']}: {item['problem']}" for item in problems[:5])
        raise InvalidInput(f"The declaration is not right: {named}.", details={"errors": problems}) from error


def _expect(agent_id: str, version: int, expected: int | None) -> None:
    if expected is not None and version != expected:
        raise NotAllowedNow(
            f"The declaration of {agent_id!r} is at version {version}, not {expected}. Read it, and decide again.",
            code="version_changed",
        )


def _read(row: Entity) -> Declaration | None:
    try:
        return Declaration.model_validate(_body(row))
    except ValidationError:
        log.exception("a stored declaration cannot be used", extra={"agent": row.values["id"]})
        return None


def _body(row: Entity) -> dict[str, Any]:
    content = row.values["body"]
    assert isinstance(content, bytes)  # noqa: S101  # as `put` wrote it
    values: dict[str, Any] = json.loads(zlib.decompress(content))
    return values


def _shown(row: Entity) -> dict[str, Any]:
    values = row.values
    return {
        "id": values["id"],
        "version": values["version"],
        "declared_at": values["at"],
        "deleted": values["deleted"],
        "declaration": _body(row),
    }


def _number(row: Entity | None, name: str) -> int:
    value = row.values[name] if row is not None else 0
    assert isinstance(value, int)  # noqa: S101  # as `_change` wrote it
    return value


def _current(agent_id: str) -> str:
    return f"current|{agent_id}"


def _version(agent_id: str, version: int) -> str:
    return f"v|{agent_id}|{version:08d}"
