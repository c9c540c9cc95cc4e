"""Builds the API of a system as an ASGI app. It needs no lifespan: nothing is started that would have to be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from aos import __version__
from aos.api import problems
from aos.api.body import BodyGuard
from aos.api.routes import (
    agents,
    apps,
    artifacts,
    conversations,
    deadletters,
    declarations,
    event_rules,
    lifecycle,
    links,
    mcp,
    mcp_servers,
    models,
    optimizing,
    orchestrations,
    planning,
    purpose,
    questions,
    requests,
    schedules,
    system,
    tasks,
    team_runs,
    tools,
    workflow_runs,
    workflow_steering,
    workflows,
)

if TYPE_CHECKING:
    from aos.system import AgentOperatingSystem

PREFIX = "/api/v1"

_VERSIONED = (
    tasks,
    models,
    agents,
    conversations,
    purpose,
    lifecycle,
    team_runs,
    schedules,
    event_rules,
    optimizing,
    workflows,
    orchestrations,
    planning,
    declarations,
    tools,
    apps,
    questions,
    requests,
    artifacts,
    deadletters,
    mcp_servers,
    mcp,
    system,
)
_SEEDS = (
    system.seed_router,
    mcp.router,
    mcp_servers.seed_router,
    apps.router,
    apps.status_router,
    orchestrations.router,
)
"""Routes of other systems of this kind, where those have them."""


def create_app(operating_system: AgentOperatingSystem) -> FastAPI:
    """The API over one system. Paths start with `/api`, the route prefix of the Functions host."""
    app = FastAPI(
        title="AOS",
        version=__version__,
        description="The Agent Operating System. Errors are RFC 9457 problem details with a stable `code`.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.system = operating_system
    limits = operating_system.config.api
    app.add_middleware(BodyGuard, max_bytes=limits.max_body_bytes, max_artifact_bytes=limits.max_artifact_bytes)
    problems.install(app)
    for routes in _VERSIONED:
        app.include_router(routes.router, prefix=PREFIX)
    for run_routes in (workflow_runs, workflow_steering):
        app.include_router(run_routes.router, prefix=f"{PREFIX}/workflow-runs")
        app.include_router(
            run_routes.router,
            prefix=f"{PREFIX}/workflows/{{name}}/runs",
            dependencies=[Depends(workflow_runs.expect_workflow)],
            include_in_schema=False,
        )
    app.include_router(workflow_runs.starts, prefix=PREFIX)
    app.include_router(workflow_steering.events, prefix=PREFIX)
    app.include_router(links.router, prefix="/api")
    for seed_routes in _SEEDS:
        app.include_router(seed_routes, prefix="/api")
    app.add_api_route(f"{PREFIX}/docs", _docs, include_in_schema=False)
    return app


async def _docs(request: Request) -> HTMLResponse:
    """The docs page. It fetches the schema with the key it was itself opened with."""
    code = request.query_params.get("code")
    query = f"?{urlencode({'code': code})}" if code else ""
    return get_swagger_ui_html(openapi_url=f"{PREFIX}/openapi.json{query}", title="AOS API")
