"""Business apps: listed, registered and removed, and the commands they give to agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from aos.api.app import create_app
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
from tests.workflows.test_tasks import WORK, Boss

REGISTRY = Path(__file__).parent.parent.parent / "config" / "example_app_registry.json"


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Counter(), Boss(), workflows=(WORK,), app_registry=str(REGISTRY))


@asynccontextmanager
async def opened(world: MemorySystem, prefix: str = "/api/v1") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://aos{prefix}") as api:
        yield api


def ids(answer: httpx.Response) -> list[str]:
    return [app["app_id"] for app in answer.json()["apps"]]


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
async def test_apps_register_are_found_and_go(world: MemorySystem, prefix: str) -> None:
    new = {"app_name": "Shop Floor", "workflows": ["work"], "agents_to_orchestrate": [{"agent_id": "x", "role": "y"}]}
    async with opened(world, prefix) as api:
        made = await api.post("/apps/register", json=new)
        again = await api.post("/apps/register", json=new)
        everything, of_type = await api.get("/apps"), await api.get("/apps?type=business_application")
        using, shown = await api.get("/apps?agent=x"), await api.get("/apps/shop_floor")
        gone = await api.delete("/apps/shop_floor")
        after = await api.get("/apps/shop_floor")
    assert made.status_code == 201
    assert made.json()["service_bus"] == {"queue": "aos-requests", "responses": "shop_floor-responses"}
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    assert ids(everything) == ["business_infinity", "mcp_servers", "realm_of_agents", "shop_floor"]
    assert ids(of_type) == ["business_infinity", "shop_floor"]
    assert (ids(using), shown.json()["metadata"]) == (["shop_floor"], {"workflows": ["work"]})
    assert (gone.status_code, after.status_code) == (204, 404)


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ({"app_name": "Shop", "workflows": ["unheard_of"]}, "unknown_workflow"),
        ({"app_name": "Mcp Servers"}, "already_exists"),
        ({"app_name": "Shop", "app_id": "Not An Id"}, "validation_error"),
    ],
)
async def test_what_cannot_register_is_refused(world: MemorySystem, new: dict[str, Any], code: str) -> None:
    async with opened(world) as api:
        assert (await api.post("/apps/register", json=new)).json()["code"] == code
        removed = await api.delete("/apps/mcp_servers")
    assert removed.json()["code"] == "not_allowed_now"


async def test_commands_start_and_stop_agents(world: MemorySystem) -> None:
    async def say(api: httpx.AsyncClient, command: str, **fields: Any) -> Any:
        return (await api.post("/agent-commands", json={"command": command, "agent_id": "counter", **fields})).json()

    await world.system.directory.send("counter", "counter.add", {"by": 1})
    await world.settle()
    async with opened(world, "/api") as api:
        stopped = await say(api, "stop", params={"reason": "stocktaking", "by": "shop"})
        still = await say(api, "stop")
        seen = (await api.get("/agents/counter/status")).json()
        await world.system.directory.send("counter", "counter.add", {"by": 2})
        await world.settle()
        before = await world.state("counter")
        started = await say(api, "start")
        await world.settle()
        restarted = await say(api, "restart")
        running = (await api.get("/agents/counter/status")).json()
        nobody = await api.get("/agents/nobody/status")
        wrong = await api.post("/agent-commands", json={"command": "stop"})
    assert (stopped["status"], still["status"]) == ("paused", "paused")
    assert seen == {"agent_id": "counter", "status": "paused", "is_running": False, "type": "counter"}
    assert before["total"] == 1
    assert (started["status"], restarted["status"]) == ("sleeping", "sleeping")
    assert (await world.state("counter"))["total"] == 3
    assert running["is_running"] is True
    assert (nobody.status_code, list(nobody.json())) == (404, ["error"])
    assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_error")


async def test_an_agent_that_was_ended_is_registered_anew_when_it_is_started(world: MemorySystem) -> None:
    await world.system.directory.send("counter", "counter.add", {"by": 1})
    await world.settle()
    await world.system.lifecycle.order("counter", "terminate", reason="done")
    async with opened(world) as api:
        started = await api.post("/agent-commands", json={"command": "start", "agent_id": "counter"})
        reloaded = await api.post("/agent-commands", json={"command": "reload_registry"})
    assert started.status_code == 200, started.text
    assert started.json()["status"] != "terminated"
    assert {"boss", "counter"} <= set(reloaded.json()["agents"])
