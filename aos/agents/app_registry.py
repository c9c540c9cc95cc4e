"""The registry of business apps: which apps there are, which agents each has work together, and what each needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aos.agents.agent_registry_file import read_json
from aos.kernel.errors import InvalidInput, NotFound

_SHAPE = ConfigDict(frozen=True, extra="forbid")

AppType = Literal["agent_orchestration", "mcp_server", "business_application", "custom"]


class AgentUse(BaseModel):
    """An agent in an app: its role there, and how the app sets it up."""

    model_config = _SHAPE

    agent_id: str = Field(min_length=1)
    role: str = Field(min_length=1)
    configuration: dict[str, Any] = {}


class RegisteredApp(BaseModel):
    """One app."""

    model_config = _SHAPE

    app_id: str = Field(min_length=1)
    app_name: str = Field(min_length=1)
    app_type: AppType
    purpose: str = ""
    description: str = ""
    agents_to_orchestrate: tuple[AgentUse, ...] = ()
    mcp_servers_required: tuple[str, ...] = ()
    azure_resources: dict[str, Any] = {}
    repository_url: str | None = None
    deployment_config: dict[str, Any] = {}
    enabled: bool = True
    version: str = "1.0.0"
    metadata: dict[str, Any] = {}


class AppRegistry:
    """The apps of a registry file, by id."""

    def __init__(self, apps: Iterable[RegisteredApp], problems: Iterable[str] = ()) -> None:
        self._apps = {app.app_id: app for app in apps}
        self.problems = tuple(problems)

    @classmethod
    def read(cls, path: Path) -> AppRegistry:
        """The apps of a JSON file, `{"version": "1.0", "apps": [...]}`.

        Apps that are not right are left out, each with sentences in `problems`.

        Raises:
            InvalidInput: it is not such a file at all.
        """
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("apps"), list):
            raise InvalidInput(f'{path} has no list `apps`. Its form is {{"version": "1.0", "apps": […]}}.')
        version = str(content.get("version", "1.0"))
        if not version.startswith("1."):
            raise InvalidInput(f"{path} is of version {version!r}; this reads 1.x. Convert it.")
        apps: dict[str, RegisteredApp] = {}
        problems: list[str] = []
        for place, values in enumerate(content["apps"]):
            name = values.get("app_id", place) if isinstance(values, dict) else place
            try:
                app = RegisteredApp.model_validate(values)
            except ValidationError as error:
                problems += [
                    f"{path}, app {name!r}: `{'.'.join(map(str, e['loc']))}`: {e['msg']}." for e in error.errors()
                ]
                continue
            if app.app_id in apps:
                problems.append(f"{path}, app {name!r}: the id is taken. Give one of the two another.")
            else:
                apps[app.app_id] = app
        return cls(apps.values(), problems)

    def __len__(self) -> int:
        return len(self._apps)

    def get(self, app_id: str) -> RegisteredApp:
        """One app. Raises `NotFound`."""
        if app_id not in self._apps:
            raise NotFound(f"There is no app {app_id!r}. There are: {', '.join(sorted(self._apps)) or 'none'}.")
        return self._apps[app_id]

    def all(self) -> list[RegisteredApp]:
        """All apps, those that take no part among them."""
        return list(self._apps.values())

    def enabled(self) -> list[RegisteredApp]:
        """The apps that take part."""
        return [app for app in self._apps.values() if app.enabled]

    def of_type(self, app_type: AppType) -> list[RegisteredApp]:
        return [app for app in self._apps.values() if app.app_type == app_type]

    def using(self, agent_id: str) -> list[RegisteredApp]:
        """The apps that have this agent work for them."""
        return [app for app in self._apps.values() if agent_id in {use.agent_id for use in app.agents_to_orchestrate}]

    def check(self, *, agents: Collection[str] | None = None, servers: Collection[str] | None = None) -> list[str]:
        """What the enabled apps need and there is not, in sentences; nothing is said of what is not known (None)."""
        problems: list[str] = []
        for app in self.enabled():
            used = {use.agent_id for use in app.agents_to_orchestrate}
            for kind, named, known in (("agent", used, agents), ("MCP server", set(app.mcp_servers_required), servers)):
                if known is not None:
                    there = ", ".join(sorted(known)) or "none"
                    problems += [
                        f"App {app.app_id!r} needs the {kind} {name!r}, which is not registered. There are: {there}."
                        for name in sorted(named - set(known))
                    ]
        return problems
