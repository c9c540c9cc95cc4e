"""Runs of workflows over HTTP: started once, followed, drawn, steered, and found under the workflow's name."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.api.test_events import connect, parse
from tests.workflows.run.office import Office, do

NOW = timedelta(0)
STEPS = [do("look", say={"found": 2}), do("write", "look", say="written")]


@pytest.fixture
def office() -> Office:
    return Office()


async def begin(api: httpx.AsyncClient, office: Office, steps: list[dict[str, Any]], **more: Any) -> str:
    put = await api.post("/workflows", json={"name": "w", "steps": steps, **more})
    assert put.is_success, put.text
    started = await api.post("/workflows/w/runs", json={})
    assert started.status_code == 202
    await office.settle(until=NOW)
    return str(started.json()["id"])


async def test_a_run_is_started_followed_and_read(office: Office) -> None:
    async with connect(office) as api:
        await office.define(STEPS, name="report", inputs={"topic": "string"})
        order = {"inputs": {"topic": "rain"}, "owner": "anna", "priority": 8, "metadata": {"ticket": 7}}
        started = await api.post("/workflows/report/runs", json=order)
        assert started.status_code == 202
        place = started.headers["Location"].removeprefix("/api/v1")
        assert (await api.get(place)).json()["status"] == "pending"
        assert (await api.get(f"{place}/result")).status_code == 409
        assert (await api.get(f"{place}/events")).json() == {"events": [], "after": "", "ended": False}
        await office.settle()
        shown = (await api.get(place)).json()
        assert (shown["status"], shown["owner"], shown["metadata"]) == ("completed", "anna", {"ticket": 7})
        assert {id: step["status"] for id, step in shown["steps"].items()} == {
            "look": "completed",
            "write": "completed",
        }
        assert (await api.get(f"{place}/result")).json()["output"] == {"write": "written"}
        first = (await api.get(f"{place}/steps", params={"limit": 1})).json()
        assert [(step["id"], step["output"]) for step in first["steps"]] == [("look", {"found": 2})]
        rest = (await api.get(f"{place}/steps", params={"cursor": first["cursor"]})).json()
        assert ([step["id"] for step in rest["steps"]], rest["cursor"]) == (["write"], None)
        assert (await api.get(f"{place}/progress")).json()["completed_steps"] == 2
        found = (await api.get("/workflow-runs", params={"status": "completed", "owner": "anna"})).json()["runs"]
        assert [run["id"] for run in found] == [shown["id"]]
        assert (await api.get("/workflow-runs", params={"workflow": "other"})).json()["runs"] == []


async def test_a_run_can_be_waited_for(office: Office) -> None:
    async with connect(office) as api:
        await office.define(STEPS)
        asked = asyncio.create_task(api.post("/workflows/w/runs", json={}, params={"wait": 30}))
        while not asked.done():
            await asyncio.sleep(0)
            await office.settle()
        answer = asked.result()
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")


async def test_the_same_key_starts_one_run(office: Office) -> None:
    async with connect(office) as api:
        await office.define(STEPS, inputs={"n": "integer"})
        key = {"Idempotency-Key": "k1"}
        first = (await api.post("/workflows/w/runs", json={"inputs": {"n": 1}}, headers=key)).json()
        await office.settle()
        again = (await api.post("/workflows/w/runs", json={"inputs": {"n": 1}}, headers=key)).json()
        assert (again["id"], again["repeated"], again["status"]) == (first["id"], True, "completed")
        other = await api.post("/workflows/w/runs", json={"inputs": {"n": 2}}, headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
        await office.settle()
        assert len(await office.works()) == 2
        assert len((await api.get("/workflows/w/runs")).json()["runs"]) == 1


async def test_an_order_that_does_not_fit_is_refused(office: Office) -> None:
    async with connect(office) as api:
        await office.define(STEPS, inputs={"n": "integer"})
        wrong = await api.post("/workflows/w/runs", json={"inputs": {"m": 1}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "inputs_invalid")
        assert (await api.post("/workflows/w/runs", json={"input": {}})).status_code == 422
        assert (await api.post("/workflows/none/runs", json={})).status_code == 404
        for path in ("", "/status", "/result", "/steps", "/graph", "/timeline", "/events", "/progress"):
            missing = await api.get(f"/workflow-runs/none{path}")
            assert (missing.status_code, missing.json()["code"]) == (404, "unknown_run"), path


async def test_events_tell_of_a_run_up_to_its_end(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, STEPS)
        await office.settle()
        page = (await api.get(f"/workflow-runs/{run}/events")).json()
        names = [event["event"] for event in page["events"] if event["event"] != "turn"]
        assert (names[0], names[-1], page["ended"]) == ("run.started", "run.ended", True)
        stream = await api.get(f"/workflow-runs/{run}/events", headers={"Accept": "text/event-stream"})
        seen = parse(stream.text)
        assert seen[0][1] == "run.started"
        behind = {"Accept": "text/event-stream", "Last-Event-ID": seen[0][0]}
        rest = parse((await api.get(f"/workflow-runs/{run}/events", headers=behind)).text)
        assert rest == seen[1:]


async def test_events_tell_how_each_step_goes(office: Office) -> None:
    tried = {"retry": {"attempts": 2, "delay": "1s"}}
    odd = do("odd", fail="Out of paper.", terminal=True, optional=True)
    async with connect(office) as api:
        run = await begin(api, office, [do("a", flaky=1, **tried), odd, do("b", "a", "odd", when="false")])
        await office.settle()
        page = (await api.get(f"/workflow-runs/{run}/events")).json()
        told = [(event["event"], event["data"]["step"]) for event in page["events"] if "step" in event["data"]]
        assert [kind for kind, step in told if step == "a"] == ["step.begun", "step.tried", "step.completed"]
        assert [kind for kind, step in told if step == "odd"] == ["step.begun", "step.failed"]
        assert [kind for kind, step in told if step == "b"] == ["step.skipped"]


async def test_a_run_is_drawn_with_how_each_step_stands(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, [do("a"), do("b", "a", hold=True), do("c", "b")])
        picture = (await api.get(f"/workflow-runs/{run}/graph")).text
        assert "class s0 completed" in picture
        assert "class s1 running" in picture
        nodes = (await api.get(f"/workflow-runs/{run}/graph", params={"format": "json"})).json()["nodes"]
        assert [node["status"] for node in nodes] == ["completed", "running", "pending"]
        drawn = (await api.get(f"/workflow-runs/{run}/timeline")).json()
        assert {event["name"] for event in drawn["traceEvents"] if event["ph"] == "X"} == {"a", "b"}


async def test_items_of_a_map_are_read_page_by_page(office: Office) -> None:
    each = {"over": "[1, 2, 3]", "step": {"agent": "hand", "with": {"say": "${{ item * 2 }}"}}}
    async with connect(office) as api:
        run = await begin(api, office, [{"id": "m", "map": each}])
        await office.settle()
        page = (await api.get(f"/workflow-runs/{run}/steps/m/items", params={"limit": 2})).json()
        assert [(item["index"], item["output"]) for item in page["items"]] == [(0, 2), (1, 4)]
        rest = (await api.get(f"/workflow-runs/{run}/steps/m/items", params={"cursor": page["cursor"]})).json()
        assert [item["output"] for item in rest["items"]] == [6]


async def test_a_run_is_paused_resumed_and_cancelled(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, [do("a", hold=True), do("b", "a", hold=True)])
        place = f"/workflow-runs/{run}"
        assert (await api.post(f"{place}/pause")).json() == {"id": run, "status": "pausing"}
        await office.settle(until=NOW)
        await office.system.directory.send("hand", "let.go", "done")
        await office.settle(until=NOW)
        shown = (await api.get(place)).json()
        assert (shown["status"], shown["steps"]["b"]["status"]) == ("paused", "pending")
        assert (await api.post(f"{place}/resume")).status_code == 202
        await office.settle(until=NOW)
        assert (await api.get(place)).json()["steps"]["b"]["status"] == "running"
        assert (await api.post(f"{place}/cancel", json={"reason": "No need."})).json()["status"] == "cancelling"
        await office.settle()
        result = (await api.get(f"{place}/result")).json()
        assert (result["status"], result["error"]["message"]) == ("cancelled", "No need.")
        again = await api.post(f"{place}/cancel")
        assert (again.status_code, again.json()["status"]) == (200, "cancelled")


async def test_a_run_is_done_anew_from_a_step(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, STEPS)
        await office.settle()
        again = await api.post(f"/workflow-runs/{run}/rerun", json={"from_step": "write"})
        assert again.status_code == 202
        await office.settle()
        assert [work["step"] for work in await office.works()] == ["look", "write", "write"]
        assert (await api.post(f"/workflow-runs/{run}/rerun", json={"from_step": "none"})).status_code == 404


async def test_a_run_goes_back_to_a_checkpoint(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, [do("a"), {"id": "paid", "wait": {"event": {"topic": "paid"}}}, do("b", "paid")])
        place = f"/workflow-runs/{run}"
        assert (await api.post(f"{place}/checkpoints", json={"name": "before"})).json()["name"] == "before"
        await office.settle(until=NOW)
        await api.post(f"{place}/events", json={"topic": "paid"})
        await office.settle(until=NOW)
        [kept] = (await api.get(f"{place}/checkpoints")).json()["checkpoints"]
        assert kept["name"] == "before"
        assert (await api.post(f"{place}/rollback", json={"name": "before"})).status_code == 202
        await office.settle(until=NOW)
        shown = (await api.get(place)).json()["steps"]
        assert {id: step["status"] for id, step in shown.items()} == {
            "a": "completed",
            "paid": "waiting",
            "b": "pending",
        }
        assert (await api.post(f"{place}/rollback", json={"name": "none"})).status_code == 404


async def test_steps_that_wait_are_answered(office: Office) -> None:
    approval = {"id": "ok", "wait": {"approval": {"prompt": "Go on?", "audience": ["anna"]}}}
    paid = {"id": "paid", "wait": {"event": {"topic": "order.paid"}}, "needs": ["ok"]}
    async with connect(office) as api:
        run = await begin(api, office, [approval, paid])
        place = f"/workflow-runs/{run}"
        stranger = await answered(api, office, place, {"step": "ok", "value": True, "by": "ben"})
        assert (stranger.status_code, stranger.json()["code"]) == (403, "permission_denied")
        given = await answered(api, office, place, {"step": "ok", "value": True, "by": "anna"})
        assert (given.status_code, given.json()["accepted"]) == (200, True)
        over = await api.post(f"{place}/respond", json={"step": "ok", "value": True, "by": "anna"})
        assert (over.status_code, over.json()["code"]) == (409, "step_not_waiting")
        happened = await api.post("/workflow-events", json={"topic": "order.paid", "data": {"n": 1}})
        assert happened.json() == {"runs": 1}
        await office.settle()
        assert (await api.get(f"{place}/result")).json()["output"] == {"paid": {"n": 1}}


async def answered(api: httpx.AsyncClient, office: Office, place: str, answer: dict[str, Any]) -> httpx.Response:
    """Answer a step while messages are carried about."""
    asked = asyncio.create_task(api.post(f"{place}/respond", json=answer, params={"wait": 30}))
    while not asked.done():
        await asyncio.sleep(0)
        await office.settle(until=NOW)
    return asked.result()


async def test_an_event_is_brought_to_one_run(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, [{"id": "paid", "wait": {"event": {"topic": "order.paid"}}}])
        told = await api.post(f"/workflow-runs/{run}/events", json={"topic": "order.paid", "data": 5})
        assert told.status_code == 202
        await office.settle()
        assert (await api.get(f"/workflow-runs/{run}/result")).json()["output"] == {"paid": 5}


async def test_a_run_is_found_under_its_workflow(office: Office) -> None:
    async with connect(office) as api:
        run = await begin(api, office, STEPS)
        await office.settle()
        place = f"/workflows/w/runs/{run}"
        assert (await api.get(f"{place}/status")).json() == (await api.get(f"/workflow-runs/{run}")).json()
        assert (await api.get(f"{place}/result")).json()["output"] == {"write": "written"}
        assert (await api.post(f"{place}/cancel")).status_code == 200
        elsewhere = await api.get(f"/workflows/other/runs/{run}")
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "unknown_run")
