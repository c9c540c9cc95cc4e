"""Teams at work: who is asked when, when it ends, and what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.agents.work import TEAM_CONTRIBUTE, Contribution, ContributionRequest
from aos.kernel.errors import InvalidInput, TerminalError
from aos.workflows.messages import TEAM_START
from aos.workflows.teams.definition import parse_team
from aos.workflows.teams.team_agent import TEAM_CANCEL
from tests.harness import MemorySystem

Says = Callable[[ContributionRequest], Any]


class Nothing(BaseModel):
    times: int = 0


def member(name: str, *says: Any) -> Agent[Any]:
    """An agent that says these things one after the other, the last for ever; a function says what it is told."""

    class Speaker(Agent[Nothing]):
        type = name
        purpose = "Say what it is told"

        @on(TEAM_CONTRIBUTE)
        async def contribute(self, turn: Turn, state: Nothing, asked: ContributionRequest) -> Any:
            heard.setdefault(name, []).append(asked)
            said = says[min(state.times, len(says) - 1)]
            state.times += 1
            if callable(said):
                said = said(asked)
            if said is None:
                turn.hold_reply()
                return None
            return said.model_dump(mode="json") if isinstance(said, Contribution) else said

    heard: dict[str, list[ContributionRequest]] = {}
    speaker = Speaker()
    speaker.heard = heard  # type: ignore[attr-defined]
    return speaker


def vote(option: str, why: str = "", confidence: float | None = None) -> Contribution:
    return Contribution(content=why, vote=option, confidence=confidence)


def refuse(_: ContributionRequest) -> Any:
    raise TerminalError("I will not.")


async def work(definition: dict[str, Any], *agents: Agent[Any], task: str = "Do it", **start: Any) -> dict[str, Any]:
    """Let a team work, and return its state, its result and its world."""
    world = MemorySystem(*agents)
    names = [{"name": agent.type, "agent": agent.type} for agent in agents]
    team = {"members": names, **definition}
    await world.system.directory.send("team:t", TEAM_START, {"definition": team, "task": task, **start})
    await world.settle()
    state: dict[str, Any] = await world.state("team:t")
    return {**state, "result": await result_of(world), "world": world}


async def result_of(world: MemorySystem, team: str = "team:t") -> Any:
    """What a team came to; None while it is at work."""
    found = await world.system.kernel.rows.get(team, "result")
    return None if found is None else json.loads(found)


async def test_a_conversation_goes_round_until_someone_says_the_token() -> None:
    writer = member("writer", "Draft one.", "Draft two.")
    critic = member("critic", "Too long.", "Good. %APPR%")
    state = await work({"kind": "conversation"}, writer, critic)
    result = state["result"]
    assert (result["success"], result["approved"], result["reason"]) == (True, True, "approved")
    assert [line["content"] for line in result["messages"]] == ["Draft one.", "Too long.", "Draft two.", "Good. %APPR%"]
    assert (result["output"], result["iterations"], result["agent_count"]) == ("Good.", 4, 2)
    lines = await state["world"].system.kernel.rows.page("team:t", "t:")
    assert [line["who"] for _, line in lines] == ["writer", "critic", "writer", "critic"]


async def test_the_token_counts_at_the_end_of_a_line_too_long_to_be_shown() -> None:
    result = (await work({"kind": "conversation"}, member("a", "word " * 2_000 + "%APPR%")))["result"]
    assert (result["reason"], result["iterations"]) == ("approved", 1)


async def test_a_conversation_without_end_stops_at_ten_contributions() -> None:
    result = (await work({"kind": "conversation"}, member("a", "yes"), member("b", "no")))["result"]
    assert (result["success"], result["reason"], result["iterations"]) == (False, "max_iterations_reached", 10)
    assert result["transcript_length"] == 10


async def test_a_long_conversation_shows_its_members_a_window_and_keeps_all() -> None:
    a = member("a", *[f"line {number}" for number in range(60)])
    state = await work({"kind": "conversation", "limits": {"turns": 60, "window": 5}}, a)
    asked = a.heard["a"]  # type: ignore[attr-defined]
    assert max(len(request.transcript) for request in asked) == 5
    assert [line["content"] for line in asked[-1].transcript] == [f"line {number}" for number in range(54, 59)]
    assert len(await state["world"].system.kernel.rows.page("team:t", "t:", limit=100)) == 60


async def test_the_selector_says_who_speaks_and_nonsense_falls_back_to_the_order() -> None:
    chair = member("chair", Contribution(content="", handoff_to="b"), "nobody at all", "b")
    a, b = member("a", "from a"), member("b", "from b", "over %APPR%")
    state = await work({"kind": "conversation", "speakers": "selected", "selector": "chair"}, chair, a, b)
    assert [line["content"] for line in state["result"]["messages"]] == ["from b", "from a", "over %APPR%"]


async def test_a_silent_member_is_passed_over_and_nobody_at_all_ends_it() -> None:
    state = await work({"kind": "conversation", "limits": {"turns": 3}}, member("a", refuse), member("b", "here"))
    assert [line["who"] for line in state["result"]["messages"]] == ["b"]
    state = await work({"kind": "conversation"}, member("a", refuse), member("b", refuse))
    assert (state["result"]["reason"], state["result"]["success"]) == ("member_failed", False)


async def test_work_is_handed_over_until_someone_keeps_it() -> None:
    front = member("front", Contribution(content="Not mine.", handoff_to="billing"))
    billing = member("billing", Contribution(content="Refunded.", data={"refund": 5}))
    state = await work({"kind": "handoff"}, front, billing)
    assert state["result"]["output"] == {"refund": 5}
    assert state["result"]["iterations"] == 2
    lost = member("lost", Contribution(content="?", handoff_to="nowhere"))
    state = await work({"kind": "handoff"}, lost)
    assert state["result"]["reason"] == "member_failed"
    assert "nowhere" in state["result"]["output"]["error"]
    assert len(lost.heard["lost"]) == 2  # type: ignore[attr-defined]


async def test_a_crew_does_its_tasks_in_order_each_shown_what_it_needs() -> None:
    researcher, writer = member("researcher", "facts", "figures"), member("writer", lambda asked: str(asked.context))
    tasks = [
        {"id": "facts", "description": "Find facts", "member": "researcher"},
        {"id": "figures", "description": "Find figures", "member": "researcher", "needs": []},
        {"id": "text", "description": "Write", "member": "writer", "expected": "A page", "needs": ["facts"]},
    ]
    state = await work({"kind": "crew", "tasks": tasks}, researcher, writer)
    result = state["result"]
    assert result["output"] == {"facts": "facts", "figures": "figures", "text": "{'facts': 'facts'}"}
    assert (result["success"], result["approved"], result["reason"]) == (True, False, "completed")
    assert "A page" in writer.heard["writer"][0].task  # type: ignore[attr-defined]


async def test_a_manager_sends_work_back_until_it_is_accepted_or_was_revised_too_often() -> None:
    tasks = [{"id": "text", "description": "Write", "member": "writer"}]
    crew = {"kind": "crew", "tasks": tasks, "manager": "boss", "revisions": 1}
    writer = member("writer", "bad", "good")
    boss = member("boss", vote("revise", "Shorter."), vote("accept"))
    result = (await work(crew, writer, boss))["result"]
    assert (result["approved"], result["output"]) == (True, {"text": "good"})
    assert "Shorter." in writer.heard["writer"][1].task  # type: ignore[attr-defined]
    assert writer.heard["writer"][1].context["text"] == "bad"  # type: ignore[attr-defined]
    result = (await work(crew, member("writer", "bad"), member("boss", vote("revise", "No."))))["result"]
    assert (result["success"], result["reason"]) == (False, "not_accepted")


async def test_a_task_of_a_crew_may_be_a_conversation() -> None:
    talk = {
        "kind": "conversation",
        "members": [{"name": "a", "agent": "a"}, {"name": "b", "agent": "b"}],
    }
    tasks = [
        {"id": "idea", "description": "Find an idea", "team": talk},
        {"id": "text", "description": "Write it", "member": "a"},
    ]
    a, b = member("a", "an idea", "the text"), member("b", "yes %APPR%")
    state = await work({"kind": "hybrid", "tasks": tasks}, a, b)
    assert state["result"]["output"] == {"idea": "yes", "text": "the text"}
    assert (await state["world"].state("team:t.idea"))["status"] == "completed"


async def test_a_manager_who_neither_accepts_nor_sends_back_is_told_so_once() -> None:
    tasks = [{"id": "text", "description": "Write", "member": "writer"}]
    crew = {"kind": "crew", "tasks": tasks, "manager": "boss"}
    boss = member("boss", "Hm.", vote("accept"))
    result = (await work(crew, member("writer", "good"), boss))["result"]
    assert (result["approved"], result["output"]) == (True, {"text": "good"})
    assert "Vote 'accept' or 'revise'" in boss.heard["boss"][1].task  # type: ignore[attr-defined]
    assert boss.heard["boss"][1].context == {"text": "good"}  # type: ignore[attr-defined]
    result = (await work(crew, member("writer", "good"), member("boss", "Hm.")))["result"]
    assert (result["approved"], result["reason"], result["iterations"]) == (False, "member_failed", 3)


async def test_a_debate_is_decided_by_its_judge() -> None:
    judge = member("judge", vote("b", "b is right", 0.9))
    a, b = member("a", "black", "still black"), member("b", "white")
    state = await work({"kind": "debate", "judge": "judge"}, a, b, judge, task="Black or white?")
    assert (state["result"]["reason"], state["result"]["output"]) == ("judged", "b is right")
    second = a.heard["a"][1]  # type: ignore[attr-defined]
    assert {line["content"] for line in second.transcript} == {"black", "white"}
    entries = await state["world"].system.kernel.journal.entries("team:t", after=0, limit=50)
    decided = [decision for entry in entries for decision in entry.decisions]
    assert [(d["selected"], d["confidence"], d["rationale"]) for d in decided] == [("b", 0.9, "b is right")]


async def test_a_debate_without_judge_is_decided_by_most_votes_or_not_at_all() -> None:
    def speaker(name: str, for_whom: str) -> Agent[Any]:
        return member(name, lambda asked: vote(for_whom) if asked.expects == "vote" else f"position of {name}")

    debate = {"kind": "debate", "rounds": 1}
    result = (await work(debate, speaker("a", "b"), speaker("b", "b"), speaker("c", "a")))["result"]
    assert (result["reason"], result["output"]) == ("voted", {"b": "position of b"})
    result = (await work(debate, speaker("a", "a"), speaker("b", "b")))["result"]
    assert (result["success"], result["reason"]) == (False, "no_majority")


RUBRIC = {
    "pass_mark": 0.8,
    "criteria": [
        {"name": "short", "check": {"most_words": 3}, "weight": 1},
        {"name": "kind", "description": "Is it kind?", "weight": 1, "least": 0.5},
    ],
}


async def test_work_is_done_again_with_what_was_wrong_until_it_passes() -> None:
    producer = member("producer", "this is far too long", "short and kind")
    judge = member(
        "judge", Contribution(content="Be kinder.", scores={"kind": 0.7}), Contribution(content="", scores={"kind": 1})
    )
    team = {"kind": "judge", "producer": "producer", "judge": "judge", "rubric": RUBRIC}
    state = await work(team, producer, judge)
    result = state["result"]
    assert (result["reason"], result["output"]) == ("passed", "short and kind")
    assert result["scores"] == {"score": 1.0, "tries": 2, "short": 1.0, "kind": 1.0}
    again = producer.heard["producer"][1].task  # type: ignore[attr-defined]
    assert "at most 3 are wanted" in again
    assert "Be kinder." in again
    assert "scored 0.35" in again
    assert judge.heard["judge"][0].options == ["kind"]  # type: ignore[attr-defined]
    assert judge.heard["judge"][0].context == {"work": "this is far too long"}  # type: ignore[attr-defined]


async def test_after_the_last_try_work_that_does_not_pass_is_returned_as_failed() -> None:
    rubric = {"criteria": [{"name": "json", "check": {"json_schema": {"type": "object", "required": ["a"]}}}]}
    team = {"kind": "judge", "producer": "p", "rubric": rubric, "tries": 2}
    result = (await work(team, member("p", "no json", Contribution(content="", data={"b": 1}))))["result"]
    assert (result["success"], result["reason"], result["output"]) == (False, "not_passed", {"b": 1})
    assert (await work(team, member("p", '{"a": 1}')))["result"]["success"]


BOARD = {"kind": "boardroom", "deadline": "1h"}


async def test_a_motion_is_carried_by_the_majority_of_the_weight() -> None:
    members = [
        {"name": "ceo", "agent": "ceo", "role": "ceo", "weight": 3},
        {"name": "cfo", "agent": "cfo", "role": "cfo"},
        {"name": "cto", "agent": "cto", "role": "cto"},
    ]
    agents = (
        member("ceo", vote("approve", "We need it.", 0.8)),
        member("cfo", vote("reject")),
        member("cto", vote("reject")),
    )
    state = await work({**BOARD, "members": members}, *agents, task="Buy it?")
    record = state["result"]["output"]
    assert (record["outcome"], record["implementation_status"]) == ("approve", "pending")
    assert state["result"]["approved"]
    assert record["confidence_score"] == pytest.approx(0.48)
    assert {p["member"]: p.get("vote") for p in record["participants"]}["cfo"] == "reject"
    rejected = await work(BOARD, member("a", vote("reject")), member("b", vote("reject")))
    assert (rejected["result"]["success"], rejected["result"]["approved"]) == (True, False)


async def test_without_a_quorum_the_motion_expires_and_somebody_is_told() -> None:
    told: list[Any] = []

    class Secretary(Agent[Nothing]):
        type = "secretary"
        purpose = "Know what came to nothing"

        @on("team.escalated")
        async def escalated(self, turn: Turn, state: Nothing, data: dict[str, Any]) -> None:
            told.append(data["reason"])

    world = MemorySystem(member("a", vote("approve")), member("b", None), member("c", None), Secretary())
    team = {**BOARD, "members": [{"name": n, "agent": n} for n in "abc"], "escalate_to": "secretary"}
    await world.system.directory.send("team:t", TEAM_START, {"definition": team, "task": "Buy it?"})
    await world.settle(until=timedelta(minutes=59))
    assert (await world.state("team:t"))["status"] == "running"
    await world.settle(until=timedelta(minutes=2))
    result = await result_of(world)
    assert (result["reason"], result["output"]["implementation_status"]) == ("no_quorum", "expired")
    assert told == ["no_quorum"]


async def test_the_chair_decides_where_no_option_has_the_majority() -> None:
    board = {**BOARD, "chair": "a"}
    state = await work(board, member("a", vote("approve", "Now.")), member("b", vote("reject")))
    assert state["result"]["output"]["outcome"] == "approve"
    late = member("a", vote("perhaps"), vote("reject", "On reflection."))
    others = [member(name, vote("approve" if name == "b" else "reject")) for name in "bc"]
    state = await work({**board, "quorum": 0.5}, late, *others)
    assert state["result"]["output"]["outcome"] == "reject"
    assert state["result"]["output"]["invalid_votes"] == {"a": "perhaps"}


async def test_money_and_time_end_a_team() -> None:
    dear = member("a", Contribution(content="words", cost_usd=0.4))
    result = (await work({"kind": "conversation", "limits": {"usd": 1.0}}, dear))["result"]
    assert (result["reason"], result["iterations"], result["cost_usd"]) == ("budget_exceeded", 3, 1.2)
    slow = await work({"kind": "conversation", "limits": {"time": "5m", "patience": "1h"}}, member("a", None))
    assert slow["result"]["reason"] == "timeout"


async def test_limits_given_at_the_start_go_before_those_of_the_team() -> None:
    result = (await work({"kind": "conversation"}, member("a", "on"), limits={"turns": 2}))["result"]
    assert result["iterations"] == 2


async def test_limits_that_leave_some_out_have_the_rest_of_their_kind() -> None:
    tasks = [{"id": f"t{number}", "description": "d"} for number in range(12)]
    stated = await work({"kind": "crew", "tasks": tasks, "limits": {"usd": 5}}, member("a", "done"))
    assert (stated["result"]["reason"], stated["result"]["iterations"]) == ("completed", 12)
    given = await work({"kind": "crew", "tasks": tasks}, member("a", "done"), limits={"usd": 5})
    assert given["result"]["reason"] == "completed"
    assert parse_team({"kind": "conversation", "members": [{"name": "a", "agent": "a"}]}).limits.turns == 10


async def test_who_is_asked_side_by_side_is_asked_only_if_all_can_be() -> None:
    a, b = member("a", vote("approve")), member("b", vote("approve"))
    result = (await work({**BOARD, "limits": {"turns": 1}}, a, b))["result"]
    assert (result["reason"], result["iterations"], result["output"]) == ("max_iterations_reached", 0, None)
    assert a.heard == b.heard == {}  # type: ignore[attr-defined]


async def test_an_answer_that_comes_too_late_counts_for_nothing() -> None:
    class Sleeper(Agent[Nothing]):
        type = "sleeper"
        purpose = "Answer when nobody waits any more"

        @on(TEAM_CONTRIBUTE)
        async def contribute(self, turn: Turn, state: Nothing, asked: ContributionRequest) -> None:
            turn.remind("wake", "wake", turn.hold_reply(), after=timedelta(minutes=6))

        @on("wake")
        async def wake(self, turn: Turn, state: Nothing, held: dict[str, Any]) -> None:
            turn.reply_to_held(held, "Good morning. %APPR%")

    definition = {"kind": "conversation", "limits": {"turns": 3, "patience": "5m"}}
    state = await work(definition, Sleeper(), member("b", "here"))
    assert [line["who"] for line in state["result"]["messages"]] == ["b"]
    assert (state["result"]["reason"], state["lines"]) == ("max_iterations_reached", 1)


async def test_a_team_that_is_stopped_before_its_order_has_come_asks_nobody() -> None:
    a = member("a", "on")
    world = MemorySystem(a)
    await world.system.directory.send("team:t", TEAM_CANCEL, {"reason": "Never mind."})
    definition = {"kind": "conversation", "members": [{"name": "a", "agent": "a"}]}
    await world.system.directory.send(
        "team:t", TEAM_START, {"definition": definition, "task": "x"}, reply_to="queue:app"
    )
    await world.settle()
    [answer] = world.sent_to("app")
    assert (answer["data"]["reason"], answer["data"]["output"]) == ("cancelled", "Never mind.")
    assert (await world.state("team:t"))["status"] == "cancelled"
    assert a.heard == {}  # type: ignore[attr-defined]


async def test_a_cancelled_team_asks_nobody_any_more_and_takes_its_own_teams_with_it() -> None:
    talk = {"kind": "conversation", "members": [{"name": "a", "agent": "a"}]}
    crew = {
        "kind": "hybrid",
        "members": [{"name": "a", "agent": "a"}],
        "tasks": [{"id": "idea", "description": "Find one", "team": talk}],
    }
    world = MemorySystem(member("a", None))
    await world.system.directory.send("team:t", TEAM_START, {"definition": crew, "task": "x"})
    await world.settle(until=timedelta(minutes=1))
    await world.system.directory.send("team:t", TEAM_CANCEL, {"reason": "Enough."})
    await world.settle(until=timedelta(minutes=1))
    assert (await world.state("team:t"))["status"] == "cancelled"
    assert (await world.state("team:t.idea"))["status"] == "cancelled"


async def test_a_team_is_started_once() -> None:
    world = MemorySystem(member("a", "x %APPR%"))
    start = {"definition": {"kind": "conversation", "members": [{"name": "a", "agent": "a"}]}, "task": "x"}
    for _ in range(2):
        await world.system.directory.send("team:t", TEAM_START, start)
    await world.settle()
    letters, _ = await world.system.kernel.dead_letters.page()
    assert [letter.error["code"] for letter in letters] == ["not_allowed_now"]


async def test_a_role_without_an_agent_and_without_a_model_says_what_to_do() -> None:
    world = MemorySystem()
    team = {"kind": "handoff", "members": [{"name": "poet", "role": "a poet"}]}
    await world.system.directory.send("team:t", TEAM_START, {"definition": team, "task": "x"})
    await world.settle()
    result = await result_of(world)
    assert result["reason"] == "member_failed"
    assert "no AI model is configured" in result["output"]["error"]


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ({"kind": "conversation", "members": []}, "at least 1 item"),
        ({"kind": "choir", "members": [{"name": "a", "agent": "a"}]}, "kind"),
        ({"kind": "conversation", "members": [{"name": "a"}]}, "needs an `agent`"),
        ({"kind": "conversation", "members": [{"name": "a", "agent": "A b"}]}, "no agent's address"),
        ({"kind": "conversation", "members": [{"name": "a", "agent": "a"}] * 2}, "two members"),
        ({"kind": "debate", "judge": "z", "members": [{"name": "a", "agent": "a"}]}, "who is no member"),
        ({"kind": "conversation", "speakers": "selected", "members": [{"name": "a", "agent": "a"}]}, "`selector`"),
        (
            {"kind": "judge", "producer": "a", "members": [{"name": "a", "agent": "a"}], "rubric": RUBRIC},
            "need a `judge`: kind",
        ),
        (
            {
                "kind": "crew",
                "members": [{"name": "a", "agent": "a"}],
                "tasks": [{"id": "x", "description": "d", "needs": ["y"]}],
            },
            "no task before it",
        ),
        (
            {
                "kind": "crew",
                "members": [{"name": "a", "agent": "a"}],
                "manager": "a",
                "tasks": [{"id": "x", "description": "d"}],
            },
            "but the manager",
        ),
        (
            {"kind": "crew", "members": [{"name": "a", "agent": "a"}], "tasks": [{"id": "inputs", "description": "d"}]},
            "no task can be called 'inputs'",
        ),
        ({"kind": "debate", "judge": "a", "members": [{"name": "a", "agent": "a"}]}, "but the judge"),
        (
            {"kind": "boardroom", "decisive": ["maybe"], "members": [{"name": "a", "agent": "a"}]},
            "'maybe', which is no option",
        ),
        (
            {"kind": "boardroom", "options": ["a", "a"], "members": [{"name": "a", "agent": "a"}]},
            "one of them twice",
        ),
    ],
)
def test_a_team_that_cannot_work_is_refused(definition: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_team(definition)
