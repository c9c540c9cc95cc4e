"""State machines: their two forms, guards, hooks, timeouts, history, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aos.kernel.errors import InvalidInput, SettingInvalid
from aos.reliability import State, StateMachine, StateMachineConfig, StateMachineInstance, Transition
from aos.reliability.standard_workflows import DecisionWorkflow, IncidentWorkflow
from aos.testing import VirtualClock

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)

STATES = ["draft", "sent", "paid"]
WAYS = [{"from": "draft", "to": "sent", "event": "send"}, {"from": "sent", "to": "paid", "event": "pay"}]


def door(**hooks: Any) -> StateMachine:
    return StateMachine(
        states=[State("shut", on_exit=hooks.get("on_exit")), State("open", is_terminal=True, **hooks.get("open", {}))],
        transitions=[Transition("shut", "open", "open", guard=hooks.get("guard"), action=hooks.get("action"))],
    )


@pytest.mark.parametrize(
    "machine",
    [
        StateMachine(states=STATES, transitions=WAYS),
        StateMachine(STATES, [("draft", "sent", "send"), ("sent", "paid", "pay")]),
        StateMachine(
            StateMachineConfig(
                name="StateMachine",
                states=[State("draft"), {"name": "sent"}, State("paid", is_terminal=True)],
                transitions=[Transition("draft", "sent", "send"), Transition("sent", "paid", "pay")],
                initial_state="draft",
            )
        ),
    ],
    ids=["lists", "positional", "config"],
)
def test_both_forms_make_the_same_machine(machine: StateMachine) -> None:
    invoice = machine.create_instance("i1", {"amount": 5}, now=NOW)
    assert (invoice.current_state, machine.get_available_events(invoice)) == ("draft", ["send"])
    assert machine.handle(invoice, "pay", now=NOW) is False
    assert machine.handle(invoice, "send", {"by": "post"}, now=NOW + HOUR) is True
    assert machine.transition(invoice, "pay", now=NOW + 2 * HOUR) is True
    assert machine.is_terminal(invoice)
    assert machine.handle(invoice, "pay", now=NOW + 3 * HOUR) is False
    assert invoice.model_dump(mode="json") == {
        "instance_id": "i1",
        "machine_name": "StateMachine",
        "current_state": "paid",
        "context": {"amount": 5, "by": "post"},
        "state_entered_at": "2026-03-01T10:00:00Z",
        "transition_history": [
            {"from_state": "draft", "to_state": "sent", "event": "send", "timestamp": "2026-03-01T09:00:00Z"},
            {"from_state": "sent", "to_state": "paid", "event": "pay", "timestamp": "2026-03-01T10:00:00Z"},
        ],
    }
    assert StateMachineInstance.model_validate_json(invoice.model_dump_json()) == invoice


def test_a_guard_sees_the_context_and_the_data_of_the_event() -> None:
    machine = door(guard=lambda facts: facts["key"] == facts["lock"])
    shut = machine.create_instance("d", {"lock": 7}, now=NOW)
    assert machine.handle(shut, "open", {"key": 6}, now=NOW) is False
    assert (shut.current_state, shut.context, shut.transition_history) == ("shut", {"lock": 7}, [])
    assert machine.handle(shut, "open", {"key": 7}, now=NOW) is True
    assert shut.context == {"lock": 7, "key": 7}


def test_the_first_way_whose_guard_allows_it_is_taken() -> None:
    machine = StateMachine(
        states=["asked", "small", "large"],
        transitions=[
            Transition("asked", "large", "weigh", guard=lambda facts: facts["kg"] > 10),
            Transition("asked", "small", "weigh"),
        ],
    )
    for kg, state in ((3, "small"), (30, "large")):
        parcel = machine.create_instance("p", now=NOW)
        machine.handle(parcel, "weigh", {"kg": kg}, now=NOW)
        assert parcel.current_state == state


def test_hooks_and_action_are_called_in_order_and_may_change_the_context() -> None:
    def note(word: str) -> Any:
        return lambda context: context.setdefault("seen", []).append((word, context.get("by")))

    machine = door(on_exit=note("exit"), action=note("action"), open={"on_enter": note("enter")})
    shut = machine.create_instance("d", now=NOW)
    machine.handle(shut, "open", {"by": "ann"}, now=NOW)
    assert shut.context["seen"] == [("exit", None), ("action", "ann"), ("enter", "ann")]


def test_on_enter_of_the_initial_state_is_called_and_leaves_the_callers_context_alone() -> None:
    machine = StateMachine(states=[State("on", on_enter=lambda c: c.update(lit=True))], transitions=[("on", "on", "x")])
    given: dict[str, Any] = {}
    assert machine.create_instance("l", given, now=NOW).context == {"lit": True}
    assert given == {}


def test_an_action_that_raises_leaves_the_instance_as_it_was() -> None:
    def fail(context: dict[str, Any]) -> None:
        context["lost"] = True
        raise RuntimeError("jammed")

    machine = door(action=fail)
    shut = machine.create_instance("d", {"n": 1}, now=NOW)
    before = shut.model_copy(deep=True)
    with pytest.raises(RuntimeError, match="jammed"):
        machine.handle(shut, "open", now=NOW)
    assert shut == before


def test_history_keeps_the_newest_transitions() -> None:
    machine = StateMachine(["a", "b"], [("a", "b", "go"), ("b", "a", "back")], max_history=3)
    walker = machine.create_instance("w", now=NOW)
    for number, event in enumerate(["go", "back"] * 5):
        assert machine.handle(walker, event, now=NOW + number * HOUR)
    assert [record.timestamp for record in walker.transition_history] == [NOW + n * HOUR for n in (7, 8, 9)]


def test_a_decision_that_nobody_looks_at_is_escalated_after_a_day() -> None:
    case = DecisionWorkflow.create_instance("d1", now=NOW)
    assert DecisionWorkflow.due_at(case) == NOW + 24 * HOUR
    assert DecisionWorkflow.check_timeout(case, now=NOW + 24 * HOUR - timedelta(seconds=1)) is None
    assert case.current_state == "pending"
    assert DecisionWorkflow.check_timeout(case, now=NOW + 24 * HOUR) == "pending_timeout"
    assert (case.current_state, case.state_entered_at) == ("escalated", NOW + 24 * HOUR)
    # Nothing leads out of `escalated` by itself; that it lasts too long is still told.
    assert DecisionWorkflow.check_timeout(case, now=NOW + 72 * HOUR) == "escalated_timeout"
    assert case.current_state == "escalated"
    assert DecisionWorkflow.handle(case, "approve", now=NOW + 73 * HOUR)
    assert DecisionWorkflow.due_at(case) is None
    assert DecisionWorkflow.check_timeout(case, now=NOW + 999 * HOUR) is None


def test_the_times_of_the_machines_that_come_with_aos() -> None:
    def hours(machine: StateMachine) -> dict[str, float | None]:
        return {name: s.timeout_seconds and s.timeout_seconds / 3600 for name, s in machine.states.items()}

    assert hours(DecisionWorkflow) == {
        "pending": 24, "under_review": 72, "escalated": 48, "approved": None, "rejected": None
    }  # fmt: skip
    assert hours(IncidentWorkflow) == {
        "reported": 1, "acknowledged": 4, "investigating": 8, "resolved": 24, "closed": None
    }  # fmt: skip


def test_an_incident_may_be_reopened() -> None:
    case = IncidentWorkflow.create_instance("i1", now=NOW)
    for event in ("acknowledge", "start_investigation", "resolve", "reopen"):
        assert IncidentWorkflow.handle(case, event, now=NOW)
    assert case.current_state == "investigating"
    for event in ("resolve", "verify"):
        assert IncidentWorkflow.handle(case, event, now=NOW)
    assert case.current_state == "closed"


def test_without_a_time_the_clock_of_the_machine_is_asked() -> None:
    clock = VirtualClock()
    machine = StateMachine(
        [State("hot", timeout_seconds=60), State("cold", is_terminal=True)], [("hot", "cold", "hot_timeout")],
        clock=clock,
    )  # fmt: skip
    tea = machine.create_instance("t")
    clock.advance(59)
    assert machine.check_timeout(tea) is None
    clock.advance(1)
    assert machine.check_timeout(tea) == "hot_timeout"
    assert tea.transition_history[0].timestamp == clock.now()


def test_an_instance_of_another_machine_is_refused() -> None:
    case = IncidentWorkflow.create_instance("i1", now=NOW)
    with pytest.raises(InvalidInput, match="IncidentWorkflow"):
        DecisionWorkflow.handle(case, "approve", now=NOW)


@pytest.mark.parametrize(
    ("states", "ways", "options", "problem"),
    [
        ([], [], {}, "no states"),
        (["a", "a"], [], {}, "listed twice"),
        (["a"], [], {"initial_state": "z"}, "initial state 'z'"),
        (["a", "b"], [("a", "c", "go")], {}, "unknown state 'c'"),
        (["a", "b"], [], {}, "'b' cannot be reached from 'a'"),
        ([State("a")], [], {}, "'a' has no way out"),
        ([State("a", is_terminal=True), "b"], [("a", "b", "go")], {}, "'a' is terminal, but"),
        ([State("a", timeout_seconds=0), "b"], [("a", "b", "go")], {}, "timeout of 0"),
        ([{"title": "a"}], [], {}, "state .* cannot be read"),
        (["a", "b"], [("a", "b")], {}, "transition .* cannot be read"),
        (["a", "b"], [{"from": "a", "into": "b", "event": "go"}], {}, "transition .* cannot be read"),
    ],
)
def test_what_is_not_a_machine_is_refused(
    states: list[Any], ways: list[Any], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingInvalid, match=problem):
        StateMachine(states=states, transitions=ways, **options)
