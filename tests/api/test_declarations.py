"""Declaring agents over HTTP."""

from __future__ import annotations

import httpx

from aos.api.app import create_app
from tests.agents.test_agent import Counter
from tests.agents.test_declarative_agent import WRITER
from tests.agents.test_wakes import Sleeper
from tests.harness import MemorySystem


async def test_an_agent_is_declared_asked_changed_and_taken_back() -> None:
    world = MemorySystem(Counter(), Sleeper())
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as api:
        created = await api.post("/agents", json=WRITER)
        assert (created.status_code, created.headers["Location"], created.headers["ETag"]) == (
            201,
            "/api/v1/agents/writer",
            '"1"',
        )
        assert (await api.post("/agents", json=WRITER)).json()["code"] == "already_exists"
        assert (await api.get("/agents/writer")).json()["purpose"] == "Writes."
        assert (await api.get("/agents/writer/declaration")).json()["declaration"]["instructions"] == "Write briefly."
        sent = await api.post("/agents/writer/messages", json={"type": "agent.query", "data": {"prompt": "Hi"}})
        assert sent.status_code == 202
        changed = await api.put("/agents/writer", json={**WRITER, "name": "Poet"}, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        late = await api.put("/agents/writer", json=WRITER, headers={"If-Match": '"1"'})
        assert (late.status_code, late.json()["code"]) == (409, "version_changed")
        assert (await api.put("/agents/writer", json=WRITER, headers={"If-Match": "x"})).status_code == 422
        assert [v["version"] for v in (await api.get("/agents/writer/versions")).json()["versions"]] == [1, 2]
        assert (await api.get("/agents/writer/versions/1")).json()["declaration"]["name"] == "Writer"
        assert (await api.delete("/agents/writer")).status_code == 204
        assert (await api.delete("/agents/writer")).status_code == 404
        assert (await api.post("/agents/writer/messages", json={"type": "agent.query"})).status_code == 404


async def test_what_cannot_be_declared_is_refused_with_the_field() -> None:
    world = MemorySystem(Counter())
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as api:
        wrong = await api.post("/agents", json={**WRITER, "triggers": [{"cron": "x"}]})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_error")
        assert "triggers.0" in wrong.json()["detail"]
        put = await api.put("/agents/writer", json={**WRITER, "colour": "red"})
        assert (put.status_code, put.json()["details"]["errors"][0]["field"]) == (422, "colour")
        taken = await api.put("/agents/counter", json=WRITER)
        assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")


async def test_the_wake_plan_of_an_agent_is_shown() -> None:
    world = MemorySystem(Sleeper())
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as api:
        plan = (await api.get("/agents/sleeper/wakes")).json()
        assert [line["kind"] for line in plan["wakes"]] == ["message", "message", "interval", "cron"]
        assert plan["wakes"][2]["next"] == "2026-01-01T00:15:00Z"
        assert (await api.get("/agents/nobody/wakes")).status_code == 404
