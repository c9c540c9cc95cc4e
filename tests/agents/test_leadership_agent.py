from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, LeadershipAgent, NoState, Turn, on, on_reply
from aos.agents.leadership_roles import REPLY_TYPES
from aos.kernel.errors import SettingInvalid
from tests.harness import MemorySystem

OPTIONS: list[dict[str, Any]] = [
    {"name": "party", "description": "Celebrate the summer", "merits": {"impact": 0.2, "risk": 0.6}},
    {
        "name": "enter market",
        "description": "A strategy for growth, led with vision",
        "merits": {"impact": 0.9, "risk": 0.2},
    },
]


class Replies(BaseModel):
    replies: list[Any] = []


class Desk(Agent[Replies]):
    """Asks leaders, and keeps what they say."""

    type = "desk"

    @on("ask")
    async def ask(self, turn: Turn, state: Replies, data: dict[str, Any]) -> None:
        turn.ask(data["to"], data["type"], data["data"])

    @on_reply("*")
    async def told(self, turn: Turn, state: Replies, data: Any) -> None:
        state.replies.append([turn.message.type, data])


class Sceptic(Agent[NoState]):
    """A stakeholder with an opinion of its own, or none that can be understood."""

    type = "sceptic"

    @on("decision_consultation")
    async def consulted(self, turn: Turn, state: NoState, data: dict[str, Any]) -> dict[str, Any]:
        if data["question"] == "Mumble?":
            return {"scores": {"party": "very"}}
        return {"scores": {"party": 1.0, "enter market": 0.0}, "reasoning": "Growth is overrated."}


def leader(id: str, role: str) -> LeadershipAgent[NoState]:
    return LeadershipAgent(id, role=role)


async def ask(world: MemorySystem, to: str, message_type: str, data: Any) -> tuple[str, Any]:
    await world.system.directory.send("desk", "ask", {"to": to, "type": message_type, "data": data})
    await world.settle()
    reply_type, answer = (await world.state("desk"))["replies"][-1]
    return reply_type, answer


def test_a_role_brings_its_focus_persona_and_a_purpose() -> None:
    cfo = leader("cfo", "CFO")
    assert cfo.focus_areas == ("finance", "risk", "compliance", "planning")
    assert cfo.purpose == "Lead as CFO: finance, risk, compliance and planning"
    assert cfo.get_agent_type() == ["leadership", "finance"]
    assert (cfo.decision_threshold, cfo.leadership_style, cfo.strategic_horizon) == (0.7, "collaborative", "quarterly")
    with pytest.raises(SettingInvalid, match="CEO, CFO"):
        leader("czar", "CZAR")


async def test_it_decides_by_merits_and_purpose_and_says_why() -> None:
    world = MemorySystem(leader("ceo", "CEO"), Desk())
    reply_type, made = await ask(world, "ceo", "decision_request", {"question": "What now?", "options": OPTIONS})
    assert reply_type == "decision_response"
    assert (made["decision"], made["outcome"], made["mode"]) == ("enter market", "approved", "autonomous")
    assert made["score"] == pytest.approx((0.9 + 0.8 + 1.0) / 3, abs=1e-3)
    assert [alternative["option"] for alternative in made["alternatives"]] == ["enter market", "party"]
    [entry] = await world.system.directory.journal("ceo")
    assert entry.decisions[0]["selected"] == "enter market"
    [memory] = await (await world.system.directory.context("ceo")).get_memory()
    assert memory["item"]["decision"] == made


async def test_what_is_below_the_threshold_is_escalated() -> None:
    world = MemorySystem(leader("ceo", "CEO"), Desk())
    _, made = await ask(world, "ceo", "decision_request", {"question": "Party?", "options": OPTIONS[:1]})
    assert (made["decision"], made["outcome"]) == ("party", "escalated")


async def test_stakeholders_are_asked_and_their_opinions_count() -> None:
    world = MemorySystem(leader("ceo", "CEO"), leader("coo", "COO"), Sceptic(), Desk())
    request = {"question": "What now?", "options": OPTIONS, "stakeholders": ["sceptic", "coo", "nobody"]}
    reply_type, made = await ask(world, "ceo", "decision_request", request)
    assert (reply_type, made["mode"], made["stakeholders"]) == (
        "decision_response",
        "consultative",
        ["sceptic", "coo", "nobody"],
    )
    assert made["opinions"]["sceptic"]["reasoning"] == "Growth is overrated."
    assert "No agent type 'nobody'" in made["opinions"]["nobody"]["error"]
    alone = (await ask(world, "ceo", "decision_request", {"question": "What now?", "options": OPTIONS}))[1]
    assert made["score"] < alone["score"]
    entries = await world.system.directory.journal("ceo")
    evidence = next(decision["evidence"] for entry in entries for decision in entry.decisions)
    assert {item["source"] for item in evidence} == {"sceptic", "coo", "nobody"}
    assert "aos.consultations" not in await world.state("ceo")


async def test_an_answer_that_is_no_opinion_has_no_say() -> None:
    world = MemorySystem(leader("ceo", "CEO"), Sceptic(), Desk())
    request = {"question": "Mumble?", "options": OPTIONS, "stakeholders": ["sceptic"]}
    _, made = await ask(world, "ceo", "decision_request", request)
    assert "no opinion" in made["opinions"]["sceptic"]["error"]
    assert made["decision"] == "enter market"


async def test_options_of_one_name_are_refused() -> None:
    world = MemorySystem(leader("ceo", "CEO"), Desk())
    reply_type, error = await ask(world, "ceo", "decision_request", {"question": "?", "options": [OPTIONS[0]] * 2})
    assert (reply_type, error["code"]) == ("aos.error", "validation_error")


@pytest.mark.parametrize(
    ("message_type", "data", "expected"),
    [
        (
            "strategic_planning",
            {"objective": "Be safe", "initiatives": ["Repaint the office", "Harden the security architecture"]},
            {"objective": "Be safe", "horizon": "quarterly"},
        ),
        (
            "team_coordination",
            {
                "tasks": ["Audit the security", "Write documentation", "Bake"],
                "members": [
                    {"agent": "a", "capabilities": ["security"]},
                    {"agent": "b", "capabilities": ["documentation"]},
                ],
            },
            {"unassigned": ["Bake"]},
        ),
        (
            "performance_review",
            {"subject": "coo", "targets": {"sales": 10, "quality": 1}, "results": {"sales": 5, "quality": 1.5}},
            {"score": 0.75, "meets_expectations": True, "achieved": ["quality"], "missed": ["sales"]},
        ),
        (
            "leadership_query",
            {"question": "Is there a compliance risk in our finance planning?"},
            {"within_purpose": False, "responsible_role": "CFO"},
        ),
        (
            "strategic_initiative",
            {"name": "Zero trust", "description": "A security architecture without trusted networks"},
            {"accepted": True, "goal_id": "goal_1"},
        ),
        (
            "strategic_initiative",
            {"name": "Summer party"},
            {"accepted": False, "goal_id": None, "score": 0.0},
        ),
    ],
)
async def test_it_answers_each_kind_of_message(message_type: str, data: Any, expected: dict[str, Any]) -> None:
    world = MemorySystem(leader("cto", "CTO"), Desk())
    reply_type, answer = await ask(world, "cto", message_type, data)
    assert reply_type == REPLY_TYPES[message_type]
    assert {name: answer[name] for name in expected} == expected


async def test_a_plan_puts_what_serves_first_and_makes_it_a_goal() -> None:
    world = MemorySystem(leader("cto", "CTO"), Desk())
    _, plan = await ask(
        world, "cto", "strategic_planning", {"objective": "Be safe", "initiatives": ["Repaint", "Improve security"]}
    )
    assert [(each["initiative"], each.get("goal_id")) for each in plan["initiatives"]] == [
        ("Improve security", "goal_1"),
        ("Repaint", None),
    ]


async def test_tasks_go_to_who_can_do_them_and_equal_ones_are_spread() -> None:
    world = MemorySystem(leader("coo", "COO"), Desk())
    members = [{"agent": name, "capabilities": ["testing"]} for name in ("a", "b")]
    _, answer = await ask(
        world, "coo", "team_coordination", {"tasks": ["Testing one", "Testing two"], "members": members}
    )
    assert [each["agent"] for each in answer["assignments"]] == ["a", "b"]
