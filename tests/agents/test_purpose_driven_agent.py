from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import NoState, Turn, on
from aos.agents.purpose import PurposeBudget, Retirement, SuccessMetric
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.agents.pursuit import MAX_ACTIVE_GOALS
from aos.kernel.errors import InvalidInput, SettingInvalid
from tests.harness import MemorySystem


class Paid(BaseModel):
    paid: int = 0


class Collector(PurposeDrivenAgent[Paid]):
    type = "collector"
    purpose = "See that customers pay their invoices"
    purpose_scope = "Receivables and payment reminders"
    success_criteria = ("No invoice is overdue",)
    success_metric = SuccessMetric("invoices paid", target=3)
    patience = 5

    @on("invoice.paid")
    async def paid(self, turn: Turn, state: Paid, data: Any) -> None:
        state.paid += 1
        self.pursuit(turn).advance()

    @on("weather.report")
    async def weather(self, turn: Turn, state: Paid, data: Any) -> None:
        turn.spend(model_cost_usd=0.5)

    @on("decide")
    async def decide(self, turn: Turn, state: Paid, data: Any) -> dict[str, Any]:
        return await self.make_purpose_driven_decision(turn, data)


async def receive(world: MemorySystem, message_type: str, times: int = 1) -> None:
    for _ in range(times):
        await world.system.directory.send("collector", message_type, {})
    await world.settle()


def ceo() -> PurposeDrivenAgent[NoState]:
    return PurposeDrivenAgent("ceo", "Lead the company to growth and strategic advantage", "ceo-adapter")


async def test_it_is_made_of_an_id_a_purpose_and_an_adapter() -> None:
    agent = ceo()
    MemorySystem(agent)
    status = await agent.get_purpose_status()
    assert (status["agent_id"], status["purpose_scope"]) == ("ceo", "General purpose operation")
    assert (await agent.get_state())["adapter_name"] == "ceo-adapter"
    with pytest.raises(SettingInvalid, match="no `purpose`"):
        PurposeDrivenAgent("aimless")


async def test_alignment_depends_on_the_action_and_says_why() -> None:
    agent = ceo()
    MemorySystem(agent)
    serving = await agent.evaluate_purpose_alignment("Review the growth strategy of the company")
    other = await agent.evaluate_purpose_alignment({"do": "Order sandwiches", "for": ["lunch"]})
    assert serving["aligned"]
    assert serving["alignment_score"] > 0.4
    assert serving["reasoning"].startswith("Action aligns with purpose: it shares 'company'")
    assert (other["aligned"], other["alignment_score"]) == (False, 0.0)
    assert other["reasoning"].startswith("Action does not align with purpose")


async def test_an_event_result_carries_purpose_and_alignment_and_the_metrics_count_it() -> None:
    agent = ceo()

    async def note(data: Any) -> str:
        return "noted"

    await agent.subscribe_to_event("strategy_review", note)
    await agent.subscribe_to_event("lunch", note)
    MemorySystem(agent)
    result = await agent.handle_event({"type": "strategy_review", "data": {"topic": "company growth"}})
    assert result["handler_results"] == ["noted"]
    assert (result["purpose"], result["purpose_alignment"]["aligned"]) == (agent.purpose, True)
    assert not (await agent.handle_event({"type": "lunch", "data": "soup"}))["purpose_alignment"]["aligned"]
    metrics = (await agent.get_purpose_status())["metrics"]
    assert (metrics["purpose_aligned_actions"], metrics["purpose_evaluations"]) == (1, 2)


async def test_goals_progress_and_complete_with_notes() -> None:
    agent = ceo()
    world = MemorySystem(agent)
    assert await agent.add_goal("Open two markets", ["two subsidiaries"]) == "goal_1"
    assert await agent.add_goal("Find a successor") == "goal_2"
    assert await agent.update_goal_progress("goal_1", 0.5, "one is open")
    world.clock.advance(60)
    assert await agent.update_goal_progress("goal_1", 1.2, "both are open")
    assert not await agent.update_goal_progress("goal_1", 1.0)
    assert not await agent.update_goal_progress("goal_9", 0.1)
    status = await agent.get_purpose_status()
    assert (status["active_goals"], status["completed_goals"], status["metrics"]["goals_achieved"]) == (1, 1, 1)
    [done] = [goal for goal in status["goals"] if goal["goal_id"] == "goal_1"]
    assert (done["status"], done["progress"]) == ("completed", 1.0)
    assert [note["note"] for note in done["notes"]] == ["one is open", "both are open"]
    assert done["completed_at"] > done["created_at"]


async def test_goals_are_set_and_moved_by_message_too_and_bounded() -> None:
    world = MemorySystem(ceo())
    for number in range(MAX_ACTIVE_GOALS + 1):
        await world.system.directory.send("ceo", "goal.add", {"description": f"Goal {number}"})
    await world.system.directory.send("ceo", "goal.progress", {"goal_id": "goal_1", "progress": 1})
    await world.settle()
    letters, _ = await world.system.kernel.dead_letters.page()
    assert [letter.error["code"] for letter in letters] == ["not_allowed_now"]


async def test_a_decision_takes_the_option_that_serves_best_and_is_on_record_and_in_memory() -> None:
    world = MemorySystem(Collector())
    options = ["Plant a tree", {"name": "remind", "how": "Send customers a payment reminder"}]
    result = await world.registry.behaviour("collector").handle_event(  # type: ignore[union-attr]
        {"type": "decide", "data": {"question": "What next?", "options": options}}
    )
    made = result["result"]
    assert (made["decision_id"], made["selected_option"]) == ("decision_1", options[1])
    assert [alternative["option"] for alternative in made["alternatives"]] == ["remind", "Plant a tree"]
    assert made["confidence"] > 0.5
    assert "'remind' scores" in made["reasoning"]
    [entry] = await world.system.directory.journal("collector")
    assert (entry.decisions[0]["question"], entry.decisions[0]["selected"]) == ("What next?", "remind")
    [memory] = await (await world.system.directory.context("collector")).get_memory()
    assert memory["item"] == {"type": "decision", "decision": made}


@pytest.mark.parametrize("options", [[], ["same", "same"]])
async def test_a_decision_without_options_to_tell_apart_is_refused(options: list[str]) -> None:
    agent = Collector()
    MemorySystem(agent)
    result = await agent.handle_event({"type": "decide", "data": {"options": options}})
    assert "name of its own" in result["error"]


async def test_its_context_says_what_it_is_there_for() -> None:
    world = MemorySystem(Collector())
    await receive(world, "invoice.paid")
    context = await world.system.directory.context("collector")
    assert await context.get_context("purpose") == Collector.purpose
    assert await context.get_context("success_criteria") == ["No invoice is overdue"]
    assert await world.state("collector") == {"paid": 1}


async def test_turns_that_serve_the_purpose_raise_no_flag() -> None:
    agent = Collector()
    world = MemorySystem(agent)
    await receive(world, "invoice.paid", 10)
    health = await agent.health_check()
    assert (health["healthy"], health["purpose_flags"]) == (True, {})
    assert (await agent.get_purpose_status())["success_metric"] == {"name": "invoices paid", "target": 3, "value": 10}


async def test_an_agent_that_drifts_and_is_busy_but_useless_is_flagged_once_and_recovers() -> None:
    agent = Collector()
    world = MemorySystem(agent)
    await receive(world, "weather.report", 5)
    flags = (await agent.health_check())["purpose_flags"]
    assert set(flags) == {"drifting", "busy_but_useless"}
    assert "0% served the purpose" in flags["drifting"]
    await receive(world, "weather.report")
    entries = await world.system.directory.journal("collector")
    flagged = [fact["flag"] for entry in entries for fact in entry.facts if fact["kind"] == "purpose.flagged"]
    assert sorted(flagged) == ["busy_but_useless", "drifting"]
    await receive(world, "invoice.paid", 6)
    assert (await agent.health_check())["purpose_flags"] == {}


async def test_an_agent_over_its_budget_is_flagged_until_the_period_is_over() -> None:
    class Spender(Collector):
        budget = PurposeBudget({"model_cost_usd": 1.0}, period=timedelta(days=1))
        patience = 100

    agent = Spender()
    world = MemorySystem(agent)
    await receive(world, "weather.report", 2)
    assert (await agent.health_check())["purpose_flags"] == {}
    await receive(world, "weather.report")
    assert "model_cost_usd 1.5 of 1" in (await agent.health_check())["purpose_flags"]["over_budget"]
    world.clock.advance(86_400)
    assert (await agent.health_check())["purpose_flags"] == {}


async def test_cadence_and_retirement_are_told_from_the_time_even_while_it_sleeps() -> None:
    class Seasonal(Collector):
        cadence = timedelta(days=7)
        retirement = Retirement(when_achieved=True, after=timedelta(days=365), idle_for=timedelta(days=30))

    agent = Seasonal()
    world = MemorySystem(agent)
    await receive(world, "invoice.paid", 2)
    assert (await agent.health_check())["purpose_flags"] == {}
    world.clock.advance(8 * 86_400)
    assert set((await agent.health_check())["purpose_flags"]) == {"behind"}
    await receive(world, "invoice.paid")
    assert "invoices paid 3 of 3" in (await agent.health_check())["purpose_flags"]["due_for_retirement"]
    await agent.add_goal("Collect the rest")
    assert (await agent.health_check())["purpose_flags"] == {}
    world.clock.advance(31 * 86_400)
    assert "longer than 30 days" in (await agent.health_check())["purpose_flags"]["due_for_retirement"]


async def test_the_score_is_part_of_the_turns_own_commit() -> None:
    world = MemorySystem(Collector())
    await receive(world, "invoice.paid")
    await receive(world, "invoice.paid")
    entries = await world.system.directory.journal("collector")
    assert [entry.version for entry in entries] == [1, 2]
    assert entries[1].usage["storage_operations"] == 1
    assert entries[1].facts[0]["kind"] == "purpose.scored"
    assert (await world.system.directory.verify("collector")).problem is None


def test_refused_goals_say_why() -> None:
    from datetime import UTC, datetime

    from aos.agents.pursuit import Pursuit

    now, pursuit = datetime(2026, 1, 1, tzinfo=UTC), Pursuit()
    with pytest.raises(InvalidInput, match="description"):
        pursuit.add_goal(" ", now=now)
    goal = pursuit.add_goal("Reach it", now=now)
    with pytest.raises(InvalidInput, match="Progress"):
        pursuit.update_goal_progress(goal, float("nan"), now=now)
