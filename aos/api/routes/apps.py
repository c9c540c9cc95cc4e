"""Business apps and the commands they give to agents, under the paths that such systems know them by."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from aos.agents.app_registry import AgentUse, AppType, RegisteredApp
from aos.api.access import system_of
from aos.kernel.errors import NotFound, UnknownAgentType
from aos.lifecycle.commands import AgentCommand
from aos.messaging.names import response_queue

router = APIRouter(tags=["apps"])
status_router = APIRouter(tags=["apps"])
"""What only the seed's own prefix has."""

_ID = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class NewApp(BaseModel):
    """An app that registers.

    Attributes:
        app_id: Its name on the bus; by default made of its name.
        workflows: Types of the tasks it is going to ask for.
    """

    model_config = ConfigDict(extra="forbid")

    app_name: str = Field(min_length=1, max_length=200)
    app_id: str | None = Field(default=None, pattern=_ID)
    app_type: AppType = "business_application"
    purpose: str = Field(default="", max_length=2_000)
    workflows: list[str] = Field(default=[], max_length=100)
    agents_to_orchestrate: list[AgentUse] = Field(default=[], max_length=100)

    @property
    def id(self) -> str:
        return self.app_id or re.sub(r"[^a-z0-9]+", "_", self.app_name.lower()).strip("_")[:63] or "app"


@router.get("/apps")
async def listed(
    request: Request, type: AppType | None = None, agent: str | None = None, enabled: bool | None = None
) -> dict[str, Any]:
    """The apps of the configured registry, and those that registered."""
    return {"apps": await system_of(request).apps.find(app_type=type, agent=agent, enabled=enabled)}


@router.post("/apps/register", status_code=201)
async def register(app: NewApp, request: Request) -> dict[str, Any]:
    """Register an app; the answer names the queues it talks through."""
    system = system_of(request)
    for workflow in app.workflows:
        await system.definitions.find(workflow)
    metadata = {"workflows": app.workflows} if app.workflows else {}
    made = RegisteredApp(
        app_id=app.id,
        app_name=app.app_name,
        app_type=app.app_type,
        purpose=app.purpose,
        agents_to_orchestrate=tuple(app.agents_to_orchestrate),
        metadata=metadata,
    )
    kept = await system.apps.register(made)
    queues = {"queue": system.config.messaging.requests, "responses": response_queue(app.id, None)}
    return {**kept, "service_bus": queues}


@router.get("/apps/{app_id}")
async def app(app_id: str, request: Request) -> dict[str, Any]:
    """One app."""
    return await system_of(request).apps.get(app_id)


@router.delete("/apps/{app_id}", status_code=204)
async def remove(app_id: str, request: Request) -> None:
    """Forget an app that registered. One of the registry file stays."""
    await system_of(request).apps.remove(app_id)


@router.post("/agent-commands")
async def command(command: AgentCommand, request: Request) -> dict[str, Any]:
    """Start, stop or restart an agent, or have the declared agents looked up anew."""
    return await system_of(request).commands.run(command)


@status_router.get("/agents/{agent_id}/status", response_model=None)
async def status(agent_id: str, request: Request) -> dict[str, Any] | JSONResponse:
    """Whether an agent takes messages."""
    try:
        found = await system_of(request).directory.status(agent_id)
    except (NotFound, UnknownAgentType) as error:
        return JSONResponse({"error": error.message}, status_code=404)
    stopped = found["status"] in ("paused", "quarantined", "draining", "terminated")
    running = bool(found["registered"]) and not stopped
    return {"agent_id": found["id"], "status": found["status"], "is_running": running, "type": found["type"]}
