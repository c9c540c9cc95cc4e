"""Cases that go through a state machine as agents: events, timeouts, going back, and crashes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Turn, on
from aos.kernel.errors import SettingInvalid
from aos.kernel.kernel import Delivery
from aos.reliability import State, StateMachine, StateMachineInstance, Transition
from aos.reliability.standard_workflows import DecisionWorkflow
from aos.testing import Finished, Scenario, crash_test
from aos.workflows.state_machine_agent import StateMachineAgent
from tests.harness import MemorySystem

CASE = "decision:budget"


class DecisionAgent(StateMachineAgent):
    type = "decision"
    purpose = "See a decision through"
    machine = DecisionWorkflow
    max_snapshots = 3

    async def entered(self, turn: Turn, instance: StateMachineInstance) -> None:
        turn.export("outside", {"entered": instance.current_state})

    async def overdue(self, turn: Turn, instance: StateMachineInstance) -> None:
        turn.export("outside", {"overdue": instance.current_state})


class World(MemorySystem):
    async def tell(self, type: str, data: Any = None) -> None:
        """Send the case a message, and let happen what happens at once."""
        await self.system.directory.send(CASE, type, data, reply_to="queue:answers")
        await self.settle(until=timedelta(0))

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [answer["data"] for answer in self.sent_to("answers")]

    async def case(self) -> dict[str, Any]:
        return dict((await self.state(CASE))["instance"])

    async def facts(self, kind: str) -> list[dict[str, Any]]:
        entries = await self.system.directory.journal(CASE)
        return [fact for entry in entries for fact in entry.facts if fact["kind"] == kind]


@pytest.fixture
async def world() -> World:
    world = World(DecisionAgent())
    await world.tell("machine.start", {"context": {"amount": 900}})
    return world


async def test_events_are_messages_and_the_journal_is_their_log(world: World) -> None:
    await world.tell("start_review", {"reviewer": "ann"})
    await world.tell("approve")
    case = await world.case()
    assert (case["current_state"], case["context"]) == ("approved", {"amount": 900, "reviewer": "ann"})
    assert [(r["from_state"], r["to_state"]) for r in case["transition_history"]] == [
        ("pending", "under_review"),
        ("under_review", "approved"),
    ]
    assert [(f["event"], f["version"]) for f in await world.facts("machine.transition")] == [
        ("start_review", 2),
        ("approve", 3),
    ]
    assert world.answers[-1] == {"instance_id": CASE, "moved": True, "state": "approved", "version": 3}
    assert [told["entered"] for told in world.sent_to("outside")] == ["pending", "under_review", "approved"]


async def test_an_event_that_leads_nowhere_is_answered_and_recorded(world: World) -> None:
    await world.tell("approve")
    assert world.answers[-1] == {"instance_id": CASE, "moved": False, "state": "pending", "version": 1}
    [refused] = await world.facts("machine.refused")
    assert (refused["state"], refused["event"]) == ("pending", "approve")


async def test_a_state_that_lasts_too_long_times_out(world: World) -> None:
    await world.settle(until=timedelta(hours=23, minutes=59))
    assert (await world.case())["current_state"] == "pending"
    await world.settle(until=timedelta(minutes=1))
    assert (await world.case())["current_state"] == "escalated"
    [fact] = await world.facts("machine.transition")
    assert fact["event"] == "pending_timeout"


async def test_moving_on_in_time_begins_the_time_of_the_next_state(world: World) -> None:
    await world.settle(until=timedelta(hours=20))
    await world.tell("start_review")
    await world.settle(until=timedelta(hours=71))
    assert (await world.case())["current_state"] == "under_review"
    assert await world.facts("machine.overdue") == []
    await world.settle(until=timedelta(hours=1))
    [overdue] = await world.facts("machine.overdue")
    assert overdue["event"] == "under_review_timeout"
    assert world.sent_to("outside")[-1] == {"overdue": "under_review"}
    assert (await world.case())["current_state"] == "under_review"


async def test_a_case_that_is_closed_waits_for_nothing(world: World) -> None:
    await world.tell("start_review")
    await world.tell("reject")
    turns = len(await world.system.directory.journal(CASE))
    await world.settle()
    assert len(await world.system.directory.journal(CASE)) == turns


async def test_a_reminder_that_comes_early_is_set_again(world: World) -> None:
    [reminder] = [message for message in world.outbox.sent if message.scheduled_at is not None]
    await world.system.kernel.deliver([Delivery(reminder.body)])
    assert (await world.case())["current_state"] == "pending"
    await world.settle(until=timedelta(hours=24))
    assert (await world.case())["current_state"] == "escalated"


async def test_only_the_clock_brings_about_a_timeout(world: World) -> None:
    assert "pending_timeout" not in DecisionAgent().message_types
    assert {"approve", "start_review", "machine.rollback"} <= set(DecisionAgent().message_types)
    await world.tell("pending_timeout")
    assert world.answers[-1]["code"] == "unknown_message_type"
    assert (await world.case())["current_state"] == "pending"


async def test_a_rollback_stands_where_an_earlier_version_stood(world: World) -> None:
    await world.tell("start_review", {"reviewer": "ann"})
    await world.settle(until=timedelta(hours=1))
    await world.tell("machine.rollback", {"to_version": 1, "reason": "wrong reviewer"})
    case = await world.case()
    assert (case["current_state"], case["context"]) == ("pending", {"amount": 900})
    assert case["transition_history"][-1]["event"] == "rollback"
    [fact] = await world.facts("machine.rolled_back")
    assert (fact["from_version"], fact["to_version"], fact["version"]) == (2, 1, 3)
    assert fact["reason"] == "wrong reviewer"
    await world.settle(until=timedelta(hours=24))
    assert (await world.case())["current_state"] == "escalated"


async def test_a_rollback_to_what_is_not_kept_is_refused(world: World) -> None:
    for event in ("start_review", "escalate", "approve"):
        await world.tell(event)
    for version in (1, 4, 9):
        await world.tell("machine.rollback", {"to_version": version})
        assert world.answers[-1]["code"] == "not_found"
        assert "keeps: 2, 3." in world.answers[-1]["message"]
    await world.tell("machine.rollback", {"to_version": 2})
    assert (await world.case())["current_state"] == "under_review"


async def test_what_comes_before_the_start_or_starts_twice_is_refused(world: World) -> None:
    await world.tell("machine.start")
    assert world.answers[-1]["code"] == "validation_error"
    await world.tell("machine.start", {})
    assert world.answers[-1]["code"] == "already_exists"
    assert (await world.state(CASE))["version"] == 1
    fresh = World(DecisionAgent())
    await fresh.tell("approve")
    assert fresh.answers[-1]["code"] == "not_allowed_now"


async def test_an_event_that_is_delivered_twice_counts_once() -> None:
    turnstile = StateMachine([State("shut")], [Transition("shut", "shut", "push", action=_count)])

    class Turnstile(StateMachineAgent):
        type = "decision"
        machine = turnstile

    world = World(Turnstile())
    await world.tell("machine.start", {})
    await world.tell("push")
    [push] = [message for message in world.outbox.sent if b'"type":"push"' in message.body.replace(b": ", b":")]
    await world.system.kernel.deliver([Delivery(push.body)])
    assert (await world.case())["context"] == {"pushed": 1}
    assert (await world.state(CASE))["version"] == 2


async def test_no_crash_moves_a_case_twice_or_not_at_all() -> None:
    def check(finished: Finished) -> None:
        state = finished.states[CASE]
        assert (state["version"], state["instance"]["current_state"]) == (4, "escalated")

    scenario = (
        Scenario()
        .send(CASE, "machine.start", {})
        .send(CASE, "start_review", {"reviewer": "ann"})
        .send(CASE, "machine.rollback", {"to_version": 1})
        .check(check)
    )
    report = await crash_test(lambda _: DecisionAgent(), scenario)
    assert report.ok, report


def test_an_agent_without_a_machine_or_with_a_name_of_its_events_is_refused() -> None:
    class Nothing(StateMachineAgent):
        type = "nothing"

    with pytest.raises(SettingInvalid, match="no `machine`"):
        Nothing()
    with pytest.raises(SettingInvalid, match="'approve'"):

        class Clash(StateMachineAgent):
            type = "clash"
            machine = DecisionWorkflow

            @on("approve")
            async def approve(self, turn: Turn, state: Any, data: Any) -> None: ...


def _count(context: dict[str, Any]) -> None:
    context["pushed"] = context.get("pushed", 0) + 1
