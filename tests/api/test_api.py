"""The API as a business app meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from aos.api.app import create_app
from aos.kernel.errors import BusUnavailable, StoreUnavailable
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
from tests.workflows.test_tasks import WORK, Boss, Left, Right


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Left(), Right(), Boss(), Counter(), workflows=(WORK,), api={"max_body_bytes": 2_000})


@pytest.fixture
async def api(world: MemorySystem) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as client:
        yield client


TASK = {"task_type": "work", "title": "Do it", "target": "here"}


async def test_a_task_is_accepted_and_its_place_is_named(world: MemorySystem, api: httpx.AsyncClient) -> None:
    response = await api.post("/api/v1/tasks", json=TASK)
    assert response.status_code == 202
    place = response.headers["Location"]
    assert response.json()["status"] == "pending"
    await world.settle()
    task = (await api.get(place)).json()
    assert (task["status"], task["result"]["total"]) == ("completed", 2)
    progress = (await api.get(f"{place}/progress")).json()
    assert (progress["status"], progress["progress"]) == ("completed", 100.0)


async def test_waiting_is_bounded_and_answers_200_when_the_task_has_ended(
    world: MemorySystem, api: httpx.AsyncClient
) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await api.post("/api/v1/tasks", json=TASK, headers=headers)
    await world.settle()
    again = await api.post("/api/v1/tasks?wait=5", json=TASK, headers=headers)
    assert (again.status_code, again.json()["repeated"], again.json()["id"]) == (200, True, first.json()["id"])
    too_long = await api.post("/api/v1/tasks?wait=500", json=TASK)
    assert too_long.status_code == 422


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {"Content-Type": "application/json"}, 400, "malformed_json"),
        (b"{}", {"Content-Type": "application/json"}, 422, "validation_error"),
        (b"title=x", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b'"' + b"x" * 3_000 + b'"', {"Content-Type": "application/json"}, 413, "payload_too_large"),
        (
            b'{"task_type":"play","title":"t","target":"x"}',
            {"Content-Type": "application/json"},
            404,
            "unknown_task_type",
        ),
        (
            b'{"task_type":"work","title":"t","target":"x","surprise":1}',
            {"Content-Type": "application/json"},
            422,
            "validation_error",
        ),
    ],
)
async def test_bad_requests_are_answered_with_a_code_and_a_remedy(
    api: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = await api.post("/api/v1/tasks", content=content, headers=headers)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["detail"]
    assert problem["type"] == f"urn:aos:error:{code}"


async def test_a_body_of_unstated_length_over_the_limit_is_refused_too(api: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 100

    response = await api.post("/api/v1/tasks", content=chunks(), headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


async def test_a_route_that_is_not_there_and_a_wrong_method_say_so(api: httpx.AsyncClient) -> None:
    missing = await api.get("/api/v1/nonsense")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await api.delete("/api/v1/tasks")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


async def test_agents_are_shown_written_to_and_their_journal_is_paged(
    world: MemorySystem, api: httpx.AsyncClient
) -> None:
    for number in range(3):
        sent = await api.post(
            "/api/v1/agents/counter/messages", json={"type": "counter.add", "data": {"by": 2}, "id": f"m{number}"}
        )
        assert sent.status_code == 202
    repeated = {"type": "counter.add", "data": {"by": 2}, "id": "m0"}
    await api.post("/api/v1/agents/counter/messages", json=repeated)
    await world.settle()
    agent = (await api.get("/api/v1/agents/counter")).json()
    assert (agent["state"]["total"], agent["version"], agent["purpose"]) == (6, 3, "Keep a running total")
    listed = (await api.get("/api/v1/agents")).json()["agents"]
    assert {item["id"] for item in listed} == {"left", "right", "boss", "counter"}
    first = (await api.get("/api/v1/agents/counter/journal?limit=2")).json()
    rest = (await api.get(f"/api/v1/agents/counter/journal?limit=2&after={first['after']}")).json()
    assert [entry["version"] for entry in first["entries"] + rest["entries"]] == [1, 2, 3]
    assert rest["after"] is None


async def test_a_letter_to_nobody_is_refused_naming_those_there_are(api: httpx.AsyncClient) -> None:
    response = await api.post("/api/v1/agents/nobody/messages", json={"type": "x"})
    assert (response.status_code, response.json()["code"]) == (404, "unknown_agent_type")
    assert "counter" in response.json()["detail"]
    assert (await api.get("/api/v1/agents/nobody")).status_code == 404
    odd = await api.post("/api/v1/agents/NOT%20ONE/messages", json={"type": "x"})
    assert (odd.status_code, odd.json()["code"]) == (422, "validation_error")


async def test_files_go_up_and_come_down_the_same(api: httpx.AsyncClient) -> None:
    content = bytes(range(256)) * 100
    stored = await api.post(
        "/api/v1/artifacts?name=data.bin", content=content, headers={"Content-Type": "application/x-thing"}
    )
    assert stored.status_code == 201
    artifact = stored.json()
    fetched = await api.get(f"/api/v1/artifacts/{artifact['id']}")
    assert fetched.content == content
    assert fetched.headers["Content-Type"] == "application/x-thing"
    assert fetched.headers["Content-Length"] == str(len(content))
    assert (await api.get(f"/api/v1/artifacts/{'0' * 64}/data.bin")).status_code == 404
    assert (await api.get("/api/v1/artifacts/nonsense/data.bin")).status_code == 422
    assert (await api.post("/api/v1/artifacts?name=../up", content=b"x")).status_code == 422


async def test_dead_letters_are_listed_shown_and_sent_again(world: MemorySystem, api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/v1/deadletters")).json() == {"dead_letters": [], "cursor": None}
    await api.post("/api/v1/agents/counter/messages", json={"type": "counter.add", "data": {"by": "x"}})
    await world.settle()
    [letter] = (await api.get("/api/v1/deadletters?agent=counter&status=open")).json()["dead_letters"]
    shown = (await api.get(f"/api/v1/deadletters/{letter['id']}")).json()
    assert shown["message"]["data"] == {"by": "x"}
    again = await api.post(f"/api/v1/deadletters/{letter['id']}/resubmit")
    assert again.status_code == 202
    twice = await api.post(f"/api/v1/deadletters/{letter['id']}/resubmit")
    assert (twice.status_code, twice.json()["code"]) == (409, "not_allowed_now")
    assert (await api.get("/api/v1/deadletters/none")).status_code == 404


async def test_the_audit_is_verified_over_all_agents(world: MemorySystem, api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/tasks", json=TASK)
    await world.settle()
    found = (await api.get("/api/v1/audit/verification")).json()
    assert (found["agents"], found["intact"], found["problems"]) == (6, True, [])
    one = (await api.get("/api/v1/agents/boss/verification")).json()
    assert (one["entries"], one["intact"]) == (1, True)


async def test_health_looks_and_says_what_is_wrong(world: MemorySystem, api: httpx.AsyncClient) -> None:
    healthy = await api.get("/api/v1/health")
    assert healthy.status_code == 200
    assert healthy.json()["services"] == {"tables": "healthy", "blobs": "healthy", "bus": "healthy"}
    seed = (await api.get("/api/health")).json()
    assert seed["service"] == "AgentOperatingSystem"
    detailed = (await api.get("/api/v1/health/detailed")).json()
    assert "agent_ids" not in seed  # whoever has no key learns no names
    assert seed["active_agents"] == detailed["active_agents"] == len(detailed["agent_ids"]) > 0
    assert (seed["active_servers"], detailed["server_ids"]) == (0, [])
    assert (await api.get("/api/v1/ready")).json()["status"] == "ready"
    world.broken["bus"] = BusUnavailable("Down; AccountKey=abcdef")
    assert (await api.get("/api/v1/health")).status_code == 503
    assert (await api.get("/api/v1/ready")).json()["status"] == "not_ready"
    status = await api.get("/api/v1/system/status")
    assert (status.status_code, status.json()["status"]) == (503, "degraded")
    assert "Down" in status.json()["components"]["bus"]["error"]
    assert "abcdef" not in status.text


async def test_seed_routes_answer_in_their_shapes(api: httpx.AsyncClient) -> None:
    status = (await api.get("/api/status")).json()
    assert {"service", "status", "version", "timestamp", "components"} <= set(status)
    agents = (await api.get("/api/agents")).json()["agents"]
    assert set(agents[0]) == {"id", "name", "status"}
    types = (await api.get("/api/v1/system/task-types")).json()["task_types"]
    assert types[0]["name"] == "work"


async def test_trouble_with_storage_is_a_503_without_secrets(
    world: MemorySystem, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("Cannot reach AccountKey=topsecret;", retry_after=7)

    monkeypatch.setattr(world.system.directory, "detail", fail)
    response = await api.get("/api/v1/agents/counter")
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert response.headers["Retry-After"] == "7"
    assert "topsecret" not in response.text


async def test_what_nobody_foresaw_is_a_500_that_gives_nothing_away(
    world: MemorySystem, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the secret formula")

    monkeypatch.setattr(world.system.directory, "detail", fail)
    response = await api.get("/api/v1/agents/counter")
    assert (response.status_code, response.json()["code"]) == (500, "api_error")
    assert "formula" not in response.text


async def test_the_api_describes_itself(api: httpx.AsyncClient) -> None:
    schema = (await api.get("/api/v1/openapi.json")).json()
    assert "/api/v1/tasks" in schema["paths"]
    page = await api.get("/api/v1/docs?code=k1")
    assert page.status_code == 200
    assert "/api/v1/openapi.json?code=k1" in page.text


async def test_a_finished_task_shows_who_did_what_and_how_well(world: MemorySystem, api: httpx.AsyncClient) -> None:
    submitted = (await api.post("/api/v1/tasks", json={**TASK, "owner": "shop"})).json()
    started = await api.post(f"/api/v1/tasks/{submitted['id']}/execute")
    assert (started.status_code, started.json()["progress_url"]) == (202, f"/api/v1/tasks/{submitted['id']}/progress")
    await world.settle()
    task = (await api.get(f"/api/v1/tasks/{submitted['id']}")).json()
    assert task["assigned_agents"] == ["left", "right", "boss"]
    assert set(task["agent_results"]) == {"left", "right", "boss"}
    assert (task["created_by"], task["success_rate"], task["summary"]) == ("shop", 1.0, "summed")
    assert task["output"] == task["result"]
    assert task["completed_at"] is not None
    listed = (await api.get("/api/v1/tasks?status=completed")).json()
    assert (listed["total"], listed["tasks"][0]["id"]) == (1, submitted["id"])
    assert (await api.post(f"/api/v1/tasks/{submitted['id']}/cancel")).status_code == 202
    assert (await api.get("/api/v1/agents?agent_type=counter")).json()["total"] == 1


async def test_metrics_count_tasks_and_agents(world: MemorySystem, api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/tasks", json=TASK)
    active = (await api.get("/api/v1/system/metrics")).json()
    assert (active["active_tasks"], active["total_tasks"], active["active_agents"]) == (1, 1, 0)
    await world.settle()
    metrics = (await api.get("/api/v1/system/metrics")).json()
    assert (metrics["active_tasks"], metrics["completed_tasks"], metrics["active_agents"]) == (0, 1, 6)
    assert metrics["memory_usage_bytes"] > 0
    assert 0 <= metrics["memory_usage_percent"] <= 100
    assert metrics["usage"]["table_operations"] > 0


async def test_the_providers_of_models_are_listed_with_what_they_lack(api: httpx.AsyncClient) -> None:
    found = (await api.get("/api/v1/agents/ai-providers")).json()
    assert found["configured"] is False
    providers = {provider["provider"]: provider for provider in found["providers"]}
    assert providers["openai"]["missing"] == ["OPENAI_API_KEY"]
    assert {"tier", "model", "enabled", "breaker", "price", "status"} <= set(providers["anthropic"])
    assert len(providers) >= 27
