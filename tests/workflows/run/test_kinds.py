"""Steps that are not an agent's: tools, models, other workflows, teams, messages of an agent's own."""

from __future__ import annotations

from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.agents.work import Contribution, ContributionRequest
from aos.llm.installed import InstalledModels
from aos.testing.models import ModelServer, Say
from aos.tools.declaration import tool
from aos.workflows.human.request import GivenAnswer
from tests.workflows.run.office import Office, do

KEY = "sk-test-0123456789"


class Member(Agent[NoState]):
    type = "member"

    @on("team.contribute")
    async def say(self, turn: Turn, _: NoState, asked: ContributionRequest) -> Contribution:
        return Contribution(content=f"{asked.task}!", done=True, cost_usd=0.25)


class Counter(Agent[NoState]):
    type = "counter"

    @on("count.up")
    async def count(self, turn: Turn, _: NoState, data: dict[str, Any]) -> dict[str, Any]:
        return {"counted": data["from"] + 1, "priority": turn.message.priority}


@pytest.fixture
def office() -> Office:
    return Office(Member(), Counter())


async def test_a_tool_is_called(office: Office) -> None:
    steps = [{"id": "sum", "tool": "calculator", "with": {"expression": "${{ inputs.a }} + 2"}}]
    result = await office.run(steps, {"a": 40}, inputs={"a": "integer"})
    assert result["output"]["sum"] == 42


async def test_a_tool_that_fails_fails_its_step(office: Office) -> None:
    run_id = await office.begin([{"id": "sum", "tool": "calculator", "with": {"expression": "1 / 0"}}])
    await office.settle()
    result = await office.workflows.result(run_id)
    assert result["status"] == "failed"
    assert (await office.system.kernel.dead_letters.page())[0] == []


async def test_workers_are_used_again(office: Office) -> None:
    steps = [{"id": f"t{n}", "tool": "calculator", "with": {"expression": "1 + 1"}} for n in range(6)]
    run_id = await office.begin(steps, concurrency=2)
    await office.settle()
    workers = {m.session_id for m in office.outbox.sent if (m.session_id or "").startswith("workflow-worker:")}
    assert workers == {f"workflow-worker:{run_id}.1", f"workflow-worker:{run_id}.2"}


async def test_a_model_step_without_a_model_says_what_to_set(office: Office) -> None:
    result = await office.run([{"id": "ask", "model": "Say hello"}])
    assert result["error"]["code"] == "config_missing"


async def test_another_workflow_is_run_with_its_inputs(office: Office) -> None:
    await office.define([do("twice", say="${{ inputs.n * 2 }}")], name="inner", inputs={"n": "integer"})
    steps = [{"id": "inner", "workflow": "inner", "with": {"n": 4}}, do("after", say="${{ steps.inner.output.twice }}")]
    run_id = await office.begin(steps)
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"after": 8}
    assert [run["id"] for run in (await office.workflows.runs())[0]] == [run_id]


async def test_a_failed_run_within_fails_its_step(office: Office) -> None:
    await office.define([do("bad", fail="broken")], name="inner")
    result = await office.run([{"id": "inner", "workflow": "inner"}])
    assert (result["error"]["message"], result["error"]["step"]) == ("broken", "inner")


async def test_what_runs_within_spend_counts(office: Office) -> None:
    await office.define([do("a", say={"cost_usd": 0.4, "tokens": 7})], name="inner")
    result = await office.run([{"id": "x", "workflow": "inner"}, {"id": "y", "workflow": "inner"}])
    assert (result["cost_usd"], result["tokens"]) == (0.8, 14)


async def test_a_budget_holds_for_runs_within(office: Office) -> None:
    cost = {"cost_usd": 0.6}
    await office.define([do("a", say=cost), do("b", "a", say=cost), do("c", "b", say=cost)], name="inner")
    result = await office.run([{"id": "x", "workflow": "inner"}], budget=1.0)
    assert (result["error"]["code"], result["cost_usd"]) == ("budget_exceeded", 1.2)


async def test_a_run_within_that_takes_too_long_is_cancelled(office: Office) -> None:
    await office.define([do("slow", silent=True)], name="inner")
    run_id = await office.begin([{"id": "x", "workflow": "inner", "timeout": "1m"}])
    child = (await office.workflows.status(run_id))["steps"]["x"]["run_id"]
    await office.settle()
    assert (await office.workflows.result(run_id))["error"]["code"] == "deadline_exceeded"
    assert (await office.workflows.result(child))["status"] == "cancelled"


async def test_a_team_does_a_step(office: Office) -> None:
    team = {"kind": "conversation", "name": "t", "members": [{"name": "m", "agent": "member"}]}
    steps = [{"id": "talk", "team": team, "with": {"task": "Hello ${{ inputs.who }}"}}]
    result = await office.run(steps, {"who": "you"}, inputs={"who": "string"})
    assert "Hello you" in result["output"]["talk"]
    assert result["cost_usd"] == 0.25


async def test_a_message_of_the_agents_own_has_the_parameters_as_its_data(office: Office) -> None:
    steps = [{"id": "up", "agent": "counter", "message": "count.up", "with": {"from": 1}, "priority": 9}]
    assert (await office.run(steps))["output"] == {"up": {"counted": 2, "priority": 9}}


@tool(effect="irreversible", risk="high")
async def wire(amount: int) -> dict[str, int]:
    """Send money.

    Args:
        amount: In cents.
    """
    return {"sent": amount}


async def test_a_risky_tool_with_content_from_outside_waits_for_a_person(office: Office) -> None:
    office.registry.surroundings.tools.register(wire)
    await office.define(
        [do("look", say=5), {"id": "pay", "tool": "wire", "with": {"amount": "${{ steps.look.output }}"}}]
    )
    run_id = await office.workflows.start("w", labels=("untrusted:web",))
    await office.settle()
    assert (await office.workflows.status(run_id))["steps"]["pay"]["status"] == "running"
    (asked,), _ = await office.system.people.open()
    await office.system.people.answer(asked["id"], GivenAnswer(by="anna", approved=True))
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"pay": {"sent": 5}}


async def test_what_follows_an_event_knows_of_what_came_from_outside(office: Office) -> None:
    office.registry.surroundings.tools.register(wire)
    await office.define(
        [
            {"id": "rest", "wait": {"event": {"topic": "go"}}},
            {"id": "pay", "tool": "wire", "with": {"amount": "${{ inputs.n }}"}, "needs": ["rest"]},
        ],
        inputs={"n": "integer"},
    )
    run_id = await office.workflows.start("w", {"n": 5}, labels=("untrusted:web",))
    await office.settle()
    await office.workflows.event(run_id, "go")
    await office.settle()
    assert len((await office.system.people.open())[0]) == 1


async def test_a_model_answers_in_words_or_in_a_structure() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    steps: list[dict[str, Any]] = [
        {"id": "words", "model": "Say ${{ inputs.word }}", "system": "Be brief."},
        {"id": "number", "model": "How many?", "schema": schema, "needs": ["words"]},
    ]
    async with ModelServer(Say("Ho."), Say('{"n": 3}'), key=KEY) as server:
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{server.url}/v1"}

        async def secret(name: str) -> str | None:
            return environ.get(name)

        models = InstalledModels(environ, secrets=secret)
        office = Office(models=models)
        result = await office.run(
            steps,
            {"word": "ho"},
            inputs={"word": "string"},
            outputs={"all": ["${{ steps.words.output }}", "${{ steps.number.output.n }}"]},
        )
        await models.close()
    assert result["output"] == {"all": ["Ho.", 3]}
    assert result["tokens"] > 0


async def test_a_worker_makes_calls_for_its_run_only(office: Office) -> None:
    run_id = await office.begin([{"id": "sum", "tool": "calculator", "with": {"expression": "1 + 1"}}])
    for worker in (f"workflow-worker:{run_id}.1", "workflow-worker:other.1"):
        await office.system.directory.send(worker, "worker.run", {"tool": "calculator"}, source=f"workflow:{run_id}x")
    await office.settle()
    letters, _ = await office.system.kernel.dead_letters.page()
    assert [letter.error["code"] for letter in letters] == ["permission_denied", "permission_denied"]
