"""Purposes over the API and the command line: what is shown, and goals that are set from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.commands import app
from tests.agents.test_agent import Counter
from tests.agents.test_purpose_driven_agent import Collector, receive
from tests.harness import MemorySystem


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Collector(), Counter())


@asynccontextmanager
async def opened(world: MemorySystem) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as api:
        yield api


async def test_the_purpose_is_shown_with_flags_metrics_and_what_the_turns_were_worth(world: MemorySystem) -> None:
    await receive(world, "invoice.paid", 2)
    await receive(world, "weather.report", 9)
    async with opened(world) as api:
        shown = (await api.get("/agents/collector/purpose?turns=10")).json()
        fresh = (await api.get("/agents/collector:new/purpose")).status_code
    assert {"drifting", "busy_but_useless"} <= set(shown["flags"])
    assert shown["success_metric"] == {"name": "invoices paid", "target": 3, "value": 2}
    assert [row["turn"] for row in shown["history"]] == list(range(11, 1, -1))
    assert (shown["history"][-1]["aligned"], shown["history"][0]["aligned"]) == (True, False)
    flagged = [flag for row in shown["history"] for flag in row["flagged"]]
    assert sorted(flagged) == ["busy_but_useless", "drifting"]
    assert fresh == 404


async def test_goals_are_set_and_reported_on_as_messages(world: MemorySystem) -> None:
    async with opened(world) as api:
        goal = {"description": "Halve it", "success_criteria": ["under 5 %"], "id": "g-1"}
        first = await api.post("/agents/collector/goals", json=goal)
        await api.post("/agents/collector/goals", json=goal)
        await world.settle()
        await api.post("/agents/collector/goals/goal_1/progress", json={"progress": 0.5, "notes": "on the way"})
        await world.settle()
        [half] = (await api.get("/agents/collector/purpose")).json()["goals"]
        await api.post("/agents/collector/goals/goal_1/complete", json={})
        await world.settle()
        [done] = (await api.get("/agents/collector/purpose")).json()["goals"]
    assert (first.status_code, first.json()) == (202, {"message_id": "g-1", "agent": "collector"})
    assert (half["description"], half["progress"], half["notes"][0]["note"]) == ("Halve it", 0.5, "on the way")
    assert (done["status"], done["progress"]) == ("completed", 1.0)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("collector/goals", {"description": ""}, 422, "validation_error"),
        ("collector/goals/goal_1/progress", {"progress": 2}, 422, "validation_error"),
        ("counter/goals", {"description": "Count"}, 404, "no_pursuit"),
        ("nobody/goals", {"description": "Count"}, 404, "unknown_agent_type"),
    ],
)
async def test_what_cannot_be_a_goal_is_refused(
    world: MemorySystem, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    async with opened(world) as api:
        refused = await api.post(f"/agents/{path}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert world.outbox.sent == []


def test_the_command_line_sets_goals_and_shows_them(world: MemorySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world.system))) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, [*words], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert result.exit_code == 0, result.output
        asyncio.run(world.settle())
        return result.stdout

    assert "There are no goals" in run("agent", "purpose", "collector")
    assert "in the mailbox of collector" in run("goal", "add", "collector", "Halve it", "--criterion", "5 %")
    run("goal", "progress", "collector", "goal_1", "0.25", "--note", "a start")
    assert "a start" in run("agent", "purpose", "collector")
    run("goal", "complete", "collector", "goal_1", "--note", "there")
    shown = json.loads(run("agent", "purpose", "collector", "--json"))
    assert [(goal["status"], len(goal["notes"])) for goal in shown["goals"]] == [("completed", 2)]
