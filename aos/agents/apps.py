"""The business apps of a system: those of the configured registry file, and those that registered themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aos.agents.app_registry import AppRegistry, AppType, RegisteredApp
from aos.kernel.errors import AlreadyExists, Conflict, NotAllowedNow, NotFound
from aos.kernel.json_text import to_bytes
from aos.kernel.ports import Delete, Entity, Insert, TableStore
from aos.kernel.scanning import all_rows

TABLE = "apps"
PARTITION = "apps"


class Apps:
    """Knows the apps.

    Args:
        tables: Where apps that registered are kept.
        file: The registry file, if there is one; it is read when first needed.
    """

    def __init__(self, tables: TableStore, file: Path | None) -> None:
        self._tables = tables
        self._file = file
        self._read: AppRegistry | None = None

    async def find(
        self, *, app_type: AppType | None = None, agent: str | None = None, enabled: bool | None = None
    ) -> list[dict[str, Any]]:
        """Apps in order of their ids.

        Args:
            app_type: Only those of the type.
            agent: Only those that have this agent work for them.
            enabled: Only those that take part, or that do not.

        Raises:
            InvalidInput: the registry file is not one.
        """
        apps = {app.app_id: app for app in [*await self._registered(), *self._configured()]}
        return [
            app.model_dump(mode="json")
            for _, app in sorted(apps.items())
            if app_type in (None, app.app_type)
            and enabled in (None, app.enabled)
            and (agent is None or agent in {use.agent_id for use in app.agents_to_orchestrate})
        ]

    async def get(self, app_id: str) -> dict[str, Any]:
        """One app. Raises `NotFound`."""
        found = [app for app in await self.find() if app["app_id"] == app_id]
        if not found:
            raise NotFound(f"There is no app {app_id!r}. List the apps to see which there are.")
        return found[0]

    async def register(self, app: RegisteredApp) -> dict[str, Any]:
        """Add an app. Raises `AlreadyExists` where its id is taken."""
        taken = AlreadyExists(f"There is an app {app.app_id!r} already. Choose another `app_id`, or remove that one.")
        if app.app_id in {known.app_id for known in self._configured()}:
            raise taken
        row = Entity(PARTITION, app.app_id, {"content": to_bytes(app.model_dump(mode="json"))})
        try:
            await self._tables.commit(TABLE, [Insert(row)])
        except Conflict as error:
            raise taken from error
        return app.model_dump(mode="json")

    async def remove(self, app_id: str) -> None:
        """Forget an app that registered.

        Raises:
            NotFound: there is no such app.
            NotAllowedNow: it stands in the registry file.
        """
        await self.get(app_id)
        if app_id in {known.app_id for known in self._configured()}:
            raise NotAllowedNow(f"App {app_id!r} stands in the file {self._file}. Remove it there.")
        await self._tables.commit(TABLE, [Delete(PARTITION, app_id)])

    def _configured(self) -> list[RegisteredApp]:
        if self._file is None:
            return []
        if self._read is None:
            self._read = AppRegistry.read(self._file)
        return self._read.all()

    async def _registered(self) -> list[RegisteredApp]:
        apps: list[RegisteredApp] = []
        for entity in await all_rows(self._tables, TABLE, PARTITION):
            content = entity.values["content"]
            apps.append(RegisteredApp.model_validate(json.loads(content if isinstance(content, bytes) else b"")))
        return apps
