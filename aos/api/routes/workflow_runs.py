"""Runs of workflows: start one, follow it, see what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from aos.api.access import After, Cursor, Limit, Wait, system_of
from aos.api.following import follow
from aos.api.routes.workflows import Shape
from aos.kernel.errors import NotFound
from aos.reliability.waiting import look_until
from aos.workflows.definition.graph_json import graph_json
from aos.workflows.definition.mermaid import run_flowchart
from aos.workflows.definition.timeline import trace_events
from aos.workflows.messages import RUN_TYPE
from aos.workflows.run_orders import RunOrder
from aos.workflows.status import RunStatus

router = APIRouter(tags=["workflows"])
"""What is asked of one run; its paths begin with `/workflow-runs`, and with `/workflows/{name}/runs`."""
starts = APIRouter(tags=["workflows"])
"""Starts runs, and lists them."""


@starts.post("/workflows/{name}/runs", status_code=202)
async def start(
    name: str,
    order: RunOrder,
    request: Request,
    response: Response,
    wait: Wait = 0,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    traceparent: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Run a workflow, `name` or `name@version`. 202 with the run's place; with `wait`, 200 as soon as it has ended."""
    system = system_of(request)
    run_id, is_new = await system.run_orders.start(
        name, order, idempotency_key=idempotency_key, traceparent=traceparent
    )
    response.headers["Location"] = f"/api/v1/workflow-runs/{run_id}"
    response.headers["Retry-After"] = "1"
    if await _has_ended(request, run_id, wait):
        response.status_code = 200
    return {**await _shown(request, run_id), "repeated": not is_new}


@starts.get("/workflows/{name}/runs")
async def page_of(
    name: str,
    request: Request,
    status: RunStatus | None = None,
    owner: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Runs of one workflow, newest first."""
    return await page(request, status, name, owner, limit, cursor)


@starts.get("/workflow-runs")
async def page(
    request: Request,
    status: RunStatus | None = None,
    workflow: str | None = None,
    owner: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Runs of all workflows, newest first; not those that other runs started."""
    found, following = await system_of(request).workflows.runs(
        status=status.value if status else None, workflow=workflow, owner=owner, limit=limit, cursor=cursor
    )
    return {"runs": found, "cursor": following}


@router.get("/{run_id}")
async def show(run_id: str, request: Request, wait: Wait = 0) -> dict[str, Any]:
    """A run with the status of each step; with `wait`, answered when it has ended."""
    await _has_ended(request, run_id, wait)
    return await _shown(request, run_id)


@router.get("/{run_id}/status")
async def status(run_id: str, request: Request, wait: Wait = 0) -> dict[str, Any]:
    """The same."""
    return await show(run_id, request, wait)


@router.get("/{run_id}/progress")
async def progress(run_id: str, request: Request) -> dict[str, Any]:
    """How far a run is: how many steps there are of each status."""
    return {"id": run_id, **await system_of(request).workflows.progress(run_id)}


@router.get("/{run_id}/result")
async def result(run_id: str, request: Request, wait: Wait = 0) -> dict[str, Any]:
    """What a run came to; 409 while it has not ended."""
    await _has_ended(request, run_id, wait)
    return {"id": run_id, **await system_of(request).workflows.result(run_id)}


@router.get("/{run_id}/steps")
async def steps(run_id: str, request: Request, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """Steps with their outputs, in the order of the workflow."""
    found, following = await system_of(request).workflows.steps(run_id, limit=limit, cursor=cursor)
    return {"steps": found, "cursor": following}


@router.get("/{run_id}/steps/{step}/items")
async def items(run_id: str, step: str, request: Request, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """Items of a map that have ended, in the order of its list."""
    found, following = await system_of(request).workflows.items(run_id, step, limit=limit, cursor=cursor)
    return {"items": found, "cursor": following}


@router.get("/{run_id}/graph", response_model=None)
async def graph(run_id: str, request: Request, shape: Shape = "mermaid") -> Response:
    """The picture of a run: each step with its status, how long it took and what it cost."""
    system = system_of(request)
    found = await system.workflows.status(run_id)
    workflow = (await system.workflows.graph(run_id)).workflow
    if shape == "mermaid":
        records = await system.workflows.timeline(run_id) if found["steps"] else []
        return PlainTextResponse(run_flowchart(workflow, records, now=system.adapters.clock.now()))
    drawn = graph_json(workflow)
    nodes = [{**node, **_how_it_stands(found["steps"].get(node["id"]))} for node in drawn["nodes"]]
    return JSONResponse({**drawn, "run": run_id, "status": found["status"], "nodes": nodes})


@router.get("/{run_id}/timeline")
async def timeline(run_id: str, request: Request) -> dict[str, Any]:
    """The run as trace events, which chrome://tracing and https://ui.perfetto.dev show."""
    system = system_of(request)
    records = await system.workflows.timeline(run_id)
    return trace_events(records, name=run_id, now=system.adapters.clock.now())


@router.get("/{run_id}/events", response_model=None)
async def events(run_id: str, request: Request, after: After = None, wait: Wait = 0) -> Response | dict[str, Any]:
    """What happens in a run, as it does: server-sent events up to `run.ended`, or JSON for those who ask again."""
    return await follow(
        request,
        f"{RUN_TYPE}:{run_id}",
        after=after,
        wait=wait,
        ends=lambda event: event.name == "run.ended",
        look=lambda: system_of(request).workflows.progress(run_id),
    )


async def expect_workflow(name: str, run_id: str, request: Request) -> None:
    """Refuse a path that names another workflow than the run's."""
    found = await system_of(request).workflows.status(run_id)
    if found["workflow"] != name.partition("@")[0]:
        raise NotFound(f"Run {run_id!r} is one of workflow {found['workflow']!r}.", code="unknown_run")


async def _shown(request: Request, run_id: str) -> dict[str, Any]:
    return {"id": run_id, **await system_of(request).workflows.status(run_id)}


async def _has_ended(request: Request, run_id: str, seconds: float) -> bool:
    """Whether a run has ended, waiting for that for a time."""
    system = system_of(request)
    found = await look_until(
        lambda seen: RunStatus(seen["status"]).is_final,
        lambda: system.workflows.progress(run_id),
        seconds=min(seconds, system.config.api.max_wait_seconds),
    )
    return RunStatus(found["status"]).is_final


def _how_it_stands(step: dict[str, Any] | None) -> dict[str, Any]:
    if step is None:
        return {"status": "pending"}
    names = ("status", "agent_id", "started_at", "completed_at", "error", "retry_count", "items", "cost_usd")
    return {name: step[name] for name in names if step.get(name) is not None}
