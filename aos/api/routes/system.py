"""The system itself: is it alive, is it ready, how is it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request, Response

from aos import __version__
from aos.api.access import system_of
from aos.kernel.meter import process_total
from aos.telemetry.host_metrics import host_metrics
from aos.workflows.planning.orchestrator_health import LOOKED_AT, judge_health
from aos.workflows.tasks.task_agent import TASKS_LANE

router = APIRouter(tags=["system"])
seed_router = APIRouter(tags=["system"])


@router.get("/health")
@seed_router.get("/health")
async def health(request: Request, response: Response) -> dict[str, Any]:
    """Whether the system can do its work: each part is looked at. 503 where one is not well. Needs no key."""
    system = system_of(request)
    components = await system.check()
    healthy = all(check["status"] == "healthy" for check in components.values())
    response.status_code = 200 if healthy else 503
    return {
        "service": "AgentOperatingSystem",
        "status": "healthy" if healthy else "unhealthy",
        "version": __version__,
        "timestamp": system.adapters.clock.now().isoformat(),
        "uptime": round(system.heartbeat.uptime, 3),
        "aos_available": healthy,
        "active_agents": len(system.agent_ids),
        "active_servers": len(system.mcp_servers.enabled),
        "services": {name: check["status"] for name, check in components.items()},
    }


@router.get("/ready")
async def ready(request: Request, response: Response) -> dict[str, Any]:
    """Whether requests may be sent here. Needs no key."""
    components = await system_of(request).check()
    is_ready = all(check["status"] == "healthy" for check in components.values())
    response.status_code = 200 if is_ready else 503
    services = {name: check["status"] for name, check in components.items()}
    return {"status": "ready" if is_ready else "not_ready", "services": services}


@router.get("/health/detailed")
async def detailed(request: Request, response: Response) -> dict[str, Any]:
    """The health of each part with what is wrong, and the hosts that are alive."""
    system = system_of(request)
    status = await system.get_system_status()
    response.status_code = 200 if status["status"] == "operational" else 503
    hosts = await system.heartbeat.hosts() if response.status_code == 200 else []
    agents, servers = system.agent_ids, system.mcp_servers.enabled
    return {
        **status,
        "hosts": hosts,
        "active_agents": len(agents),
        "agent_ids": agents,
        "active_servers": len(servers),
        "server_ids": servers,
    }


@router.get("/system/status")
@seed_router.get("/status")
async def status(request: Request, response: Response) -> dict[str, Any]:
    """How the system is, and what this host has used since it started."""
    found = await system_of(request).get_system_status()
    response.status_code = 200 if found["status"] == "operational" else 503
    return found


@router.get("/system/metrics")
async def metrics(request: Request) -> dict[str, Any]:
    """This host's processor and memory, the tasks by status (of the newest 1,000), and what was used."""
    system = system_of(request)
    tasks, _ = await system.task_index.page(limit=1_000)
    by_status = Counter(task["status"] for task in tasks)
    agents = await system.list_agents()
    return {
        **host_metrics(),
        "active_tasks": by_status["running"] + by_status["pending"],
        "total_tasks": len(tasks),
        "completed_tasks": by_status["completed"],
        "failed_tasks": by_status["failed"],
        "active_agents": sum(agent["version"] > 0 for agent in agents),
        "usage": process_total.to_json(),
        "timestamp": system.adapters.clock.now().isoformat(),
    }


@router.get("/system/orchestrator")
async def orchestrator(request: Request) -> dict[str, Any]:
    """How well work gets done here: a score from 0 to 100 with its reasons, by the tasks that ended last."""
    system = system_of(request)
    tasks, _ = await system.task_index.page(limit=10 * LOOKED_AT)
    ended = [task for task in tasks if task["status"] in ("completed", "failed")][:LOOKED_AT]
    active = await system.schedules.running(TASKS_LANE)
    found = judge_health(
        agents=len({agent for agents in system.candidates.capabilities.values() for agent in agents}),
        failed=sum(task["status"] == "failed" for task in ended),
        ended=len(ended),
        active=active,
        most_active=system.schedules.limits.max_running,
    )
    return {"score": found.score, "status": found.status, "reasons": list(found.reasons), "active_tasks": active}


@router.get("/system/task-types")
async def task_types(request: Request) -> dict[str, Any]:
    """The kinds of task that can be asked for: workflows by name, and what agents can do."""
    system = system_of(request)
    workflows, _ = await system.definitions.names(limit=1_000)
    able = system.candidates.capabilities
    return {
        "task_types": [{"name": row["name"], "title": row["title"], "agents": []} for row in workflows]
        + [{"name": name, "title": name, "agents": agents} for name, agents in able.items()]
    }


@seed_router.get("/agents")
async def agents(request: Request) -> dict[str, Any]:
    """All agents in short: id, name, status."""
    found = await system_of(request).list_agents()
    return {"agents": [{"id": agent["id"], "name": agent["name"], "status": agent["status"]} for agent in found]}
