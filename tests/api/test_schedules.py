"""Lanes over HTTP and on the command line."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from aos.workflows.scheduling.admission import Admission
from tests.api.test_events import connect
from tests.cli.test_commands import Terminal, terminal
from tests.harness import MemorySystem
from tests.workflows.scheduling.test_lanes import admit, order, world_of

__all__ = ["terminal"]


async def test_a_lane_and_its_works_are_shown_and_waiting_work_is_taken_back() -> None:
    order.clear()
    world = world_of(max_running=1)
    async with connect(world) as api:
        assert (await api.get("/schedules/main")).json()["counts"]["running"] == 0
        assert (await api.get("/schedules/other")).status_code == 404
        await admit(world, "a", owner="sales")
        await admit(world, "b", priority="high")
        await admit(world, "c")
        shown = (await api.get("/schedules/main?limit=1")).json()
        assert shown["running"][0]["owner"] == "sales"
        assert [row["work"] for row in shown["waiting"]] == ["job:b"]
        assert (await api.get("/schedules/main/works/job:c")).json()["position"] == 2
        answer = await api.post("/schedules/main/works/job:b/withdraw")
        assert answer.status_code == 202
        await world.settle(until=timedelta())
        assert (await api.get("/schedules/main/works/job:b")).status_code == 404
        assert (await api.post("/schedules/main/works/job:b/withdraw")).status_code == 404
        assert (await api.get("/schedules/main/works/job:c")).json()["position"] == 1


def test_a_lane_on_the_command_line(terminal: Terminal) -> None:
    assert "Nothing waits." in terminal("schedule", "show").stdout
    asyncio.run(_fill(terminal.world))
    listed = terminal("schedule", "show", "--limit", "5").stdout
    assert "counter:w91" in listed
    assert "Nothing runs." not in listed
    shown: dict[str, Any] = terminal.json("schedule", "show", "main")
    assert shown["statistics"]["expired"] == 91, "counters never say that they are done, and hours have passed"
    assert "no 'counter:w1' in lane" in terminal("schedule", "withdraw", "counter:w1", code=1).output


async def _fill(world: MemorySystem) -> None:
    for number in range(1, 92):
        message = {"type": "counter.add", "data": {"by": 1}}
        work = Admission.model_validate({"work": f"counter:w{number}", "message": message})
        await world.system.schedules.admit(work)
    await world.settle(until=timedelta())
