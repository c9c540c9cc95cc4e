"""Orders to agents, types and teams over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from aos.agents.life import ORDERS
from aos.api.app import create_app
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Counter())


@pytest.fixture
async def api(world: MemorySystem) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as client:
        yield client


async def add(world: MemorySystem, api: httpx.AsyncClient, by: int, to: str = "counter") -> None:
    sent = await api.post(f"/agents/{to}/messages", json={"type": "counter.add", "data": {"by": by}})
    assert sent.status_code == 202
    await world.settle()


async def test_an_agent_is_paused_shown_and_resumed(world: MemorySystem, api: httpx.AsyncClient) -> None:
    await add(world, api, 1)
    paused = await api.post("/agents/counter/pause", json={"reason": "Audit", "by": "ann"})
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    await add(world, api, 2)
    agent = (await api.get("/agents/counter")).json()
    assert (agent["status"], agent["reason"], agent["ordered_by"], agent["waiting"]) == ("paused", "Audit", "ann", 1)
    assert agent["state"]["total"] == 1
    health = (await api.get("/agents/counter/health")).json()
    assert (health["status"], health["backlog"]["put_aside"]) == ("degraded", 1)
    assert (await api.post("/agents/counter/resume")).json()["waiting"] == 1
    await world.settle()
    agent = (await api.get("/agents/counter")).json()
    assert (agent["status"], agent["state"]["total"], agent["waiting"]) == ("sleeping", 3, 0)
    first = (await api.get("/agents/counter/lifecycle", params={"limit": 1})).json()
    assert [(order["event"], order["by"]) for order in first["orders"]] == [("pause", "ann")]
    rest = (await api.get("/agents/counter/lifecycle", params={"after": first["after"]})).json()
    assert [order["event"] for order in rest["orders"]] == ["resume"]
    assert rest["after"] is None


async def test_what_waits_for_a_stopped_agent_shows_as_its_outcome(world: MemorySystem, api: httpx.AsyncClient) -> None:
    await api.post("/agents/counter/pause")
    await api.post("/agents/counter/messages", json={"type": "counter.add", "data": {"by": 1}, "id": "m"})
    await world.settle()
    assert (await world.system.directory.outcome("counter", "m") or {})["outcome"] == "aside"
    await api.post("/agents/counter/resume")
    await world.settle()
    assert (await world.system.directory.outcome("counter", "m") or {})["outcome"] == "applied"


async def test_orders_that_cannot_be_are_refused_with_a_reason(api: httpx.AsyncClient) -> None:
    for path, body, status, code in (
        ("/agents/counter/quarantine", None, 422, "validation_error"),
        ("/agents/counter/pause", {"because": "x"}, 422, "validation_error"),
        ("/agents/nobody/pause", None, 404, "not_found"),
        ("/agent-types/nobody/pause", None, 404, "unknown_agent_type"),
        ("/teams/nobody/pause", None, 404, "not_found"),
    ):
        answer = await api.post(path, json=body) if body else await api.post(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
    await api.post("/agents/counter/terminate", json={"reason": "Done"})
    refused = await api.post("/agents/counter/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_allowed_now")
    assert (await api.post("/agents/counter/register")).json()["status"] == "initialized"
    assert (await api.post("/agents/counter/dance")).status_code in (404, 405)


async def test_types_and_teams_take_orders(world: MemorySystem, api: httpx.AsyncClient) -> None:
    await add(world, api, 1, "counter:eu")
    stopped = (await api.post("/agent-types/counter/pause", json={"reason": "Upgrade"})).json()
    assert (stopped["status"], stopped["changed"]) == ("paused", 1)
    assert (await api.get("/agent-types/counter/lifecycle")).json()["reason"] == "Upgrade"
    await add(world, api, 1, "counter:us")
    assert (await api.get("/agents/counter:us/status")).json()["status"] == "paused"
    made = await api.put("/teams/all", json={"members": ["counter:*"]})
    assert made.json() == {"team": "all", "members": ["counter:*"]}
    assert (await api.get("/teams")).json()["teams"] == [made.json()]
    assert (await api.get("/teams/all")).json() == made.json()
    world.clock.advance(1)
    released = (await api.post("/teams/all/resume")).json()
    assert released["members"]["counter:*"]["changed"] == 2
    await world.settle()
    assert (await world.state("counter:us"))["total"] == 1
    assert (await api.delete("/teams/all")).status_code == 204
    assert (await api.get("/teams/all")).status_code == 404
    statistics = (await api.get("/agent-statistics")).json()
    assert statistics["by_status"]["sleeping"] == 2


async def test_repairs_are_listed(world: MemorySystem, api: httpx.AsyncClient) -> None:
    await add(world, api, 1)
    await api.post("/agents/counter/drain")
    world.clock.advance(86_400)
    await world.system.run_maintenance()
    [repair] = (await api.get("/repairs")).json()["repairs"]
    assert (repair["agent"], "Draining" in repair["what"]) == ("counter", True)
    assert (await api.get("/agents/counter")).json()["status"] == "paused"


async def test_every_order_is_in_the_schema(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    for event in ORDERS:
        for whom in ("agents/{agent_id}", "agent-types/{agent_type}", "teams/{team}"):
            assert "post" in paths[f"/api/v1/{whom}/{event}"]
