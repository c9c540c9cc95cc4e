"""Permissions that tools require: who may call, what a model is offered, and what the journal says of a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from aos.agents import Agent, AgentPolicy, RetryPolicy, Turn, on
from aos.agents.agent_file import parse_agent_file
from aos.agents.declarative_agent import DeclarativeAgent
from aos.api.app import create_app
from aos.tools import tool
from aos.tools.calculator import calculator
from aos.tools.tool_node import ToolNode, ToolTask
from tests.harness import MemorySystem

paid: list[str] = []


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


@tool(effect="idempotent", permissions=("money:pay", "money:see"))
async def pay(to: str) -> str:
    """Pay somebody."""
    paid.append(to)
    return "paid"


class Log(BaseModel):
    seen: list[Any] = []


class Payer(Agent[Log]):
    type = "payer"
    tools = (pay, calculator)
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=3))

    def __init__(self, *permissions: str) -> None:
        super().__init__()
        self.permissions = permissions

    @on("call")
    async def call(self, turn: Turn, state: Log, to: str) -> None:
        state.seen.append(await self.toolbox(turn).call("pay", to=to))

    @on("observe")
    async def observe(self, turn: Turn, state: Log, to: str) -> None:
        box = self.toolbox(turn)
        (observation,) = await box.observe([("pay", {"to": to})])
        state.seen += [[offered.name for offered in box.tools], observation.ok, (observation.error or {}).get("code")]


async def told(agent: Payer, kind: str) -> MemorySystem:
    world = MemorySystem(agent)
    await world.system.directory.send("payer", kind, "ada")
    await world.settle()
    return world


async def test_an_agent_with_the_permissions_calls_the_tool() -> None:
    world = await told(Payer("money:see", "money:pay", "other"), "call")
    assert paid == ["ada"]
    assert (await world.state("payer"))["seen"] == ["paid"]


async def test_a_call_without_a_permission_is_a_dead_letter_at_once() -> None:
    world = await told(Payer("money:see"), "call")
    (letter,), _ = await world.system.kernel.dead_letters.page()
    assert letter.error["code"] == "tool_not_permitted"
    assert letter.error["details"] == {"tool": "pay", "missing": ["money:pay"]}
    assert paid == []
    (entry,) = await world.system.directory.journal("payer")
    assert entry.received[0]["error"]["code"] == "tool_not_permitted"


async def test_a_model_is_not_offered_the_tool_and_sees_the_refusal_where_it_asks_all_the_same() -> None:
    world = await told(Payer(), "observe")
    assert (await world.state("payer"))["seen"] == [["calculator"], False, "tool_not_permitted"]
    (entry,) = await world.system.directory.journal("payer")
    fact = {"kind": "tool.not_permitted", "tool": "pay", "missing": ["money:pay", "money:see"]}
    assert fact in entry.facts
    assert paid == []


async def test_an_agent_file_grants_permissions(tmp_path: Path) -> None:
    text = "---\nname: P\ndescription: Pays.\ntools: [pay]\npermissions: [money:pay]\n---\nPay.\n"
    declared = parse_agent_file(text, source="p.agent.md", stem="p", environ={})
    assert DeclarativeAgent(declared.declaration).permissions == ("money:pay",)


async def test_lists_of_tools_say_what_is_required_and_who_was_granted_it_in_vain() -> None:
    world = MemorySystem(Payer("money:pay"))
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as api:
        rows = {row["name"]: row for row in (await api.get("/api/v1/tools")).json()["tools"]}
        shown = (await api.get("/api/v1/agents/payer")).json()
    assert rows["pay"]["required_permissions"] == ["money:pay", "money:see"]
    assert (rows["pay"]["granted_to"], rows["pay"]["not_permitted"]) == ([], ["payer"])
    assert (rows["calculator"]["granted_to"], rows["calculator"]["not_permitted"]) == (["payer"], [])
    assert shown["permissions"] == ["money:pay"]


async def test_a_node_calls_only_what_it_has_the_permissions_for() -> None:
    wanted = ToolTask(tool="pay", input={"to": "ada"})
    without, having = ToolNode(), ToolNode(permissions=["money:pay", "money:see"])
    for node in (without, having):
        node.register_tool(pay)
    assert (await without.execute(wanted)).error_type == "tool_not_permitted"
    assert (await having.execute(wanted)).success
