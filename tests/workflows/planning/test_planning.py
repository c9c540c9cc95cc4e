"""How a piece of work is to be done, and by whom: rules a person can follow."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aos.kernel.errors import InvalidInput
from aos.workflows.planning.complexity import judge
from aos.workflows.planning.execution import Coordination, ExecutionMode, Overrides, plan
from aos.workflows.planning.selection import Candidate, ScoringSelector, Wanted


def candidate(
    agent: str, *capabilities: str, domain: str = "", succeeded: int = 0, failed: int = 0, waiting: int = 0
) -> Candidate:
    return Candidate(agent, frozenset(capabilities), frozenset({domain} - {""}), succeeded, failed, waiting)


CFO = candidate("cfo", "payment_approval", "budgeting", domain="finance")
CRM = candidate("crm", "lead_scoring", domain="crm")
ANALYST = candidate("analyst", "reporting", domain="analytics")
ALL = [CFO, CRM, ANALYST]


@pytest.mark.parametrize(
    ("text", "level", "seconds", "multi", "mcp"),
    [
        ("Say hello", "simple", 30, False, False),
        ("Write a report", "moderate", 60, False, False),
        ("A detailed report", "moderate", 60, True, False),
        ("A comprehensive, detailed Analysis", "complex", 120, True, False),
        ("Sync the api", "simple", 30, False, True),
        ("Integrate and coordinate", "moderate", 60, True, True),
        ("Reprocess the database", "simple", 30, False, False),
    ],
)
def test_words_say_how_hard_a_request_is(text: str, level: str, seconds: int, multi: bool, mcp: bool) -> None:
    judged = judge(text).to_json()
    assert judged["level"] == level
    assert judged["estimated_seconds"] == seconds
    assert (judged["requires_multi_agent"], judged["requires_mcp"]) == (multi, mcp)


def test_wanted_capabilities_are_covered_by_as_few_agents_as_it_takes() -> None:
    wanted = Wanted("Pay", capabilities=frozenset({"payment_approval", "budgeting", "lead_scoring"}))
    selection = ScoringSelector().select(wanted, ALL)
    assert [choice.agent for choice in selection.chosen] == ["cfo", "crm"]
    assert selection.missing == frozenset()
    assert selection.chosen[0].reason == "can do budgeting, payment_approval; has no results yet"
    assert [choice.agent for choice in selection.passed_over] == ["analyst"]


def test_between_equals_the_one_with_better_results_and_less_waiting_comes_first() -> None:
    wanted = Wanted("x", capabilities=frozenset({"sum"}))
    good = candidate("good", "sum", succeeded=20)
    bad = candidate("bad", "sum", succeeded=5, failed=15)
    busy = candidate("busy", "sum", succeeded=20, waiting=20)
    new = candidate("new", "sum")
    chosen = ScoringSelector().select(wanted, [bad, busy, new, good]).chosen
    assert [choice.agent for choice in chosen] == ["good", "new", "busy", "bad"]
    assert "20 messages wait for it" in next(choice for choice in chosen if choice.agent == "busy").reason


def test_a_domain_brings_the_agents_that_serve_it_and_words_bring_theirs() -> None:
    chosen = ScoringSelector().select(Wanted("an analysis of leads", domain="sales"), ALL).chosen
    assert {choice.agent for choice in chosen} == {"crm", "analyst"}


def test_an_agent_that_takes_no_messages_is_not_chosen() -> None:
    paused = Candidate("cfo", frozenset({"budgeting"}), available=False)
    selection = ScoringSelector().select(Wanted("x", capabilities=frozenset({"budgeting"})), [paused])
    assert selection.chosen == ()
    assert selection.missing == {"budgeting"}


def test_at_most_five_agents_take_part() -> None:
    many = [candidate(f"a{number}", "sum") for number in range(9)]
    assert len(ScoringSelector().select(Wanted("x", capabilities=frozenset({"sum"})), many).chosen) == 5


@pytest.mark.parametrize(
    ("text", "servers", "mode", "order"),
    [
        ("Approve the payment", (), ExecutionMode.SINGLE_AGENT, Coordination.SEQUENTIAL),
        ("A detailed report on budgeting", (), ExecutionMode.MULTI_AGENT, Coordination.PARALLEL),
        ("Sync payment approval", ("erp",), ExecutionMode.MCP_INTEGRATION, Coordination.SEQUENTIAL),
        ("Sync payment approval", (), ExecutionMode.SINGLE_AGENT, Coordination.SEQUENTIAL),
        ("Integrate a comprehensive detailed budgeting", ("erp",), ExecutionMode.HYBRID, Coordination.COLLABORATIVE),
    ],
)
def test_the_rules_choose_mode_and_order(
    text: str, servers: tuple[str, ...], mode: ExecutionMode, order: Coordination
) -> None:
    made = plan(Wanted(text), ALL, servers=servers)
    assert (made.mode, made.coordination) == (mode, order)
    assert "cfo" in made.agents
    assert made.servers == (servers if mode in (ExecutionMode.MCP_INTEGRATION, ExecutionMode.HYBRID) else ())
    assert made.reasons


def test_what_the_caller_states_wins() -> None:
    stated = Overrides(ExecutionMode.MULTI_AGENT, Coordination.HIERARCHICAL, ("crm", "cfo:emea", "crm"))
    made = plan(Wanted("Say hello"), ALL, overrides=stated)
    assert (made.mode, made.coordination) == (ExecutionMode.MULTI_AGENT, Coordination.HIERARCHICAL)
    assert made.agents == ("crm", "cfo:emea")
    declared = plan(Wanted("Say hello"), ALL, overrides=Overrides(workflow="refund"))
    assert (declared.mode, declared.workflow) == (ExecutionMode.AZURE_WORKFLOW, "refund")


def test_one_agent_is_not_enough_where_the_capabilities_are_spread() -> None:
    made = plan(Wanted("Say hello", capabilities=frozenset({"budgeting", "lead_scoring"})), ALL)
    assert made.mode is ExecutionMode.MULTI_AGENT
    assert set(made.agents) == {"cfo", "crm"}


@pytest.mark.parametrize(
    ("wanted", "overrides", "code"),
    [
        (Wanted("Knit a pullover"), Overrides(), "no_agent_fits"),
        (Wanted("x", capabilities=frozenset({"knitting"})), Overrides(), "capability_missing"),
        (Wanted("x"), Overrides(agents=("nobody",)), "validation_error"),
        (Wanted("x"), Overrides(agents=()), "validation_error"),
    ],
)
def test_where_nobody_can_do_it_the_plan_says_so(wanted: Wanted, overrides: Overrides, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(wanted, ALL, overrides=overrides)
    assert caught.value.code == code


def test_a_result_tells_how_it_came_to_be() -> None:
    told = plan(Wanted("A detailed report on budgeting"), ALL).orchestration("x1", 2, datetime(2026, 1, 1, tzinfo=UTC))
    assert {
        "execution_id",
        "execution_mode",
        "participating_agents",
        "participating_mcp",
        "complexity_analysis",
        "steps_completed",
        "orchestrated_at",
    } <= told.keys()
    assert told["selection"][0]["reason"]
