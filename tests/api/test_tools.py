"""Tools over the API and the command line: which there are, and answering what only a person can."""

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
from tests.harness import MemorySystem
from tests.tools.test_guardrail import Clerk, done


@pytest.fixture
def world() -> MemorySystem:
    done.clear()
    return MemorySystem(Clerk())


async def test_tools_are_listed_with_effects_grants_and_statistics(world: MemorySystem) -> None:
    await world.system.directory.send("clerk", "work", [("note", {"text": "x"})])
    await world.settle()
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as api:
        rows = (await api.get("/api/v1/tools")).json()["tools"]
        refused = await api.post("/api/v1/agents/clerk/messages", json={"type": "work", "labels": ["No Label"]})
    assert [(row["name"], row["effect"], row["granted_to"]) for row in rows] == [
        ("calculator", "read", []),
        ("fetch", "read", ["clerk"]),
        ("note", "idempotent", ["clerk"]),
        ("wipe", "irreversible", ["clerk"]),
        ("wire", "irreversible", ["clerk"]),
    ]
    assert rows[2]["statistics"]["successes"] == 1
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")


def test_a_person_answers_from_the_command_line(world: MemorySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world.system))) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)

    def run(*words: str) -> Any:
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == 0, result.output
        asyncio.run(world.settle())
        return json.loads(result.stdout)

    run("agent", "send", "clerk", "work", json.dumps([["fetch", {"page": "p"}], ["wire", {"to": "ada"}]]))
    [question] = run("agent", "show", "clerk")["questions"]
    assert run("agent", "questions")["questions"] == [question]
    run("agent", "send", "clerk", "tool.confirm", json.dumps({"question": question["id"], "approved": True}))
    assert done == ["wire ada"]
    assert run("agent", "show", "clerk")["questions"] == []
    assert run("agent", "questions")["questions"] == []
    assert "wire" in CliRunner().invoke(app, ["tool", "list"]).output
