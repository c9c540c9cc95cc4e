"""Orchestrations over HTTP: the shapes and codes that other systems of this kind have."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.api.test_events import connect
from tests.harness import MemorySystem
from tests.tools.test_webhook import KEY, Receiver
from tests.tools.test_webhook import receiver as receiver  # noqa: PLC0414  # a fixture
from tests.workflows.run.office import Office
from tests.workflows.test_tasks import Boss, Left, Right

NOW = timedelta(0)


def order(**more: Any) -> dict[str, Any]:
    task = {"type": "report", "data": {"description": "Report on rain", "target": "Zurich"}}
    return {"agent_ids": ["left", "right"], "workflow": "sequential", "task": task, **more}


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Left(), Right(), Boss())


async def test_agents_are_set_to_a_task_and_the_result_is_there_at_its_end(world: MemorySystem) -> None:
    async with connect(world) as api:
        started = await api.post("/orchestrations", json=order(orchestration_id="o-1"))
        assert (started.status_code, started.json()) == (202, {"orchestration_id": "o-1", "status": "submitted"})
        assert started.headers["Location"] == "/api/v1/orchestrations/o-1"
        assert (await api.get("/orchestrations/o-1")).json()["status"] == "submitted"
        early = await api.get("/orchestrations/o-1/result")
        assert (early.status_code, early.json()["code"]) == (409, "orchestration_not_complete")
        await world.settle()
        shown = (await api.get("/orchestrations/o-1")).json()
        assert (shown["status"], shown["agent_ids"], shown["workflow"]) == (
            "completed",
            ["left", "right"],
            "sequential",
        )
        result = (await api.get("/orchestrations/o-1/result")).json()
        assert result["agent_results"] == {
            "left": {"summary": "left done", "value": 1},
            "right": {"summary": "right done", "value": 1},
        }
        stopped = await api.post("/orchestrations/o-1/cancel")
        assert (stopped.status_code, stopped.json()["status"]) == (200, "completed")


@pytest.mark.parametrize("kind", ["collaborative", "hierarchical", "parallel"])
async def test_each_order_of_work_is_carried_out(world: MemorySystem, kind: str) -> None:
    async with connect(world) as api:
        started = (await api.post("/orchestrations", json=order(workflow=kind))).json()["orchestration_id"]
        await world.settle()
        result = (await api.get(f"/orchestrations/{started}/result")).json()
        assert (result["status"], set(result["agent_results"])) == ("completed", {"left", "right"})


async def test_an_id_starts_one_orchestration(world: MemorySystem) -> None:
    async with connect(world) as api:
        for _ in range(2):
            again = await api.post("/orchestrations", json=order(orchestration_id="o-1"))
            assert again.status_code == 202
            await world.settle()
        assert len((await api.get("/tasks")).json()["tasks"]) == 1
        other = await api.post("/orchestrations", json=order(orchestration_id="o-1", workflow="parallel"))
        assert (other.status_code, other.json()["code"]) == (409, "already_exists")


async def test_what_cannot_be_orchestrated_is_refused(world: MemorySystem) -> None:
    async with connect(world) as api:
        unknown = await api.post("/orchestrations", json=order(agent_ids=["left", "nobody"]))
        assert unknown.status_code == 422
        assert "nobody" in unknown.json()["detail"]
        assert (await api.post("/orchestrations", json=order(workflow="chaotic"))).status_code == 422
        unsigned = await api.post("/orchestrations", json=order(callback_url="https://example.com/hook"))
        assert unsigned.json()["code"] == "config_missing"
        for method, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel")):
            missing = await api.request(method, f"/orchestrations/none{path}")
            assert (missing.status_code, missing.json()["code"]) == (404, "unknown_orchestration")


async def test_an_orchestration_is_stopped() -> None:
    world = Office()
    data = {"source": "erp"}
    asked = {"agent_ids": ["deaf"], "task": {"type": "sync", "data": data}, "config": {"priority": 9, "depth": 2}}
    async with connect(world) as api:
        started = (await api.post("/orchestrations", json=asked)).json()["orchestration_id"]
        await world.settle(until=NOW)
        shown = (await api.get(f"/orchestrations/{started}")).json()
        assert shown["status"] == "running"
        task = (await api.get(f"/tasks/{shown['task_id']}")).json()
        assert (task["parameters"], task["priority"]) == ({**data, "config": {"depth": 2}}, 9)
        assert (await api.post(f"/orchestrations/{started}/cancel")).json()["status"] == "cancelling"
        await world.settle()
        assert (await api.get(f"/orchestrations/{started}/result")).json()["status"] == "cancelled"
        seed = await api.get(f"http://aos/api/orchestrations/{started}")
        assert seed.json()["status"] == "cancelled"


async def test_a_caller_is_told_of_the_end(receiver: Receiver) -> None:
    key = {"key": KEY.get_secret_value(), "hosts": ["localhost"], "allow_private": True}
    world = MemorySystem(Left(), Right(), callbacks=key)
    async with connect(world) as api:
        await api.post("/orchestrations", json=order(orchestration_id="o-9", callback_url=f"{receiver.url}/ok"))
        await world.settle()
        [(_, body)] = receiver.received
        told = json.loads(body)
        assert (told["type"], told["data"]["reference"], told["data"]["status"]) == ("task.ended", "o-9", "completed")
        forbidden = await api.post("/orchestrations", json=order(callback_url="https://elsewhere.example/hook"))
        assert forbidden.status_code == 403
