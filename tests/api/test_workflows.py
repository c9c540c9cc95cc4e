"""Workflows over HTTP: put there as JSON or YAML, checked, versioned, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agents.test_agent import Counter
from tests.api.test_events import connect
from tests.harness import MemorySystem

SHORT: dict[str, Any] = {
    "name": "short",
    "steps": [{"id": "count", "agent": "counter"}, {"id": "again", "agent": "counter:b", "needs": ["count"]}],
}
YAML = {"Content-Type": "application/yaml"}


async def test_a_workflow_is_kept_once_and_each_change_is_a_version() -> None:
    async with connect(MemorySystem(Counter())) as api:
        first = await api.post("/workflows", json=SHORT, params={"by": "anna"})
        assert (first.status_code, first.json()["number"], first.json()["by"]) == (201, 1, "anna")
        assert (await api.post("/workflows", json=SHORT)).status_code == 200
        changed = (await api.post("/workflows", json={**SHORT, "title": "Count twice"})).json()
        assert changed["number"] == 2
        place = first.headers["Location"].removeprefix("/api/v1")
        assert (await api.get(place)).json()["definition"] == SHORT
        assert (await api.get("/workflows/short")).json()["title"] == "Count twice"
        kept = (await api.get("/workflows/short/versions")).json()["versions"]
        assert [version["number"] for version in kept] == [2, 1]
        assert [found["version"] for found in (await api.get("/workflows")).json()["workflows"]] == [changed["version"]]
        unknown = await api.get("/workflows/shorter")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_workflow")


async def test_yaml_is_taken_with_its_media_type() -> None:
    text = "steps:\n  - id: one\n    agent: counter\n"
    async with connect(MemorySystem(Counter())) as api:
        put = await api.post("/workflows", content=text, headers=YAML, params={"name": "mine"})
        assert (put.status_code, put.json()["name"]) == (201, "mine")
        assert (await api.post("/workflows", content=text, headers={"Content-Type": "text/plain"})).status_code == 415
        assert (await api.post("/tasks", content=text, headers=YAML)).status_code == 415


async def test_everything_that_is_wrong_is_named_with_its_line_and_nothing_is_kept() -> None:
    text = "name: bad\nsteps:\n  - id: one\n    agent: countr\n  - id: two\n    tool: no.such\n    needs: [on]\n"
    async with connect(MemorySystem(Counter())) as api:
        found = (await api.post("/workflows/check", content=text, headers=YAML)).json()
        assert not found["ok"]
        assert [(problem["code"], problem["line"]) for problem in found["problems"]] == [
            ("unknown_agent", 4),
            ("unknown_step", 7),
            ("unknown_tool", 6),
        ]
        assert "counter" in found["problems"][0]["message"]
        refused = await api.post("/workflows", content=text, headers=YAML)
        assert (refused.status_code, refused.json()["code"]) == (422, "workflow_invalid")
        assert len(refused.json()["details"]["problems"]) == 3
        assert (await api.get("/workflows")).json()["workflows"] == []
        field = (await api.post("/workflows/check", json={"name": "x", "step": []})).json()["problems"]
        assert {problem["where"] for problem in field} == {"step", "steps"}
        syntax = (await api.post("/workflows/check", content="a: [", headers=YAML)).json()
        assert (syntax["ok"], len(syntax["problems"])) == (False, 1)
        good = (await api.post("/workflows/check", json=SHORT)).json()
        assert (good["ok"], good["name"], good["problems"]) == (True, "short", [])


async def test_a_workflow_is_drawn() -> None:
    async with connect(MemorySystem(Counter())) as api:
        await api.post("/workflows", json=SHORT)
        picture = await api.get("/workflows/short/graph")
        assert picture.headers["content-type"].startswith("text/plain")
        assert picture.text.startswith("flowchart TD")
        assert "s0 --> s1" in picture.text
        graph = (await api.get("/workflows/short/graph", params={"format": "json"})).json()
        assert graph["edges"] == [{"from": "count", "to": "again"}]
        assert [(node["id"], node["kind"], node["who"]) for node in graph["nodes"]] == [
            ("count", "agent", "counter"),
            ("again", "agent", "counter:b"),
        ]


async def test_workflows_beside_the_agents_are_there_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "daily.workflow.yaml").write_text("steps:\n  - {id: one, agent: counter}\n")
    async with connect(MemorySystem(Counter(), folders=[str(tmp_path)])) as api:
        assert [found["name"] for found in (await api.get("/workflows")).json()["workflows"]] == ["daily"]
        assert (await api.get("/workflows/daily/versions")).status_code == 200
        taken = await api.post("/workflows", json={**SHORT, "name": "daily"})
        assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
