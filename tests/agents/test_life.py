"""The life of an agent as a state machine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aos.agents.life import MACHINE, ORDERS, follow_order, since_of, state_of, timeout_of
from aos.kernel.dedupe import DedupeWindow
from aos.kernel.errors import NotAllowedNow
from aos.kernel.head import Head
from aos.kernel.standing import OPEN, Standing
from aos.kernel.vitals import Vitals
from aos.testing import VirtualClock

NOW = VirtualClock().now()


def head(standing: Standing = OPEN, *, version: int = 1, orders: int = 0) -> Head:
    return Head("a", DedupeWindow(4), version=version, standing=standing, vitals=Vitals(orders=orders), updated="then")


def ordered(state: str, event: str, waiting: int = 0) -> Standing | None:
    return follow_order(state, event, waiting=waiting, reason="r", by="b", now=NOW)


def test_the_five_states_follow_each_other_as_the_contract_says() -> None:
    instance = MACHINE.create_instance("a", now=NOW)
    for event, state in (
        ("initialize", "initialized"),
        ("start", "running"),
        ("idle", "sleeping"),
        ("wake", "running"),
        ("terminate", "terminated"),
    ):
        assert MACHINE.handle(instance, event, now=NOW)
        assert instance.current_state == state
    assert [record.event for record in instance.transition_history] == [
        "initialize",
        "start",
        "idle",
        "wake",
        "terminate",
    ]
    assert not MACHINE.handle(instance, "wake", now=NOW)


def test_a_state_is_told_from_turns_and_orders() -> None:
    assert state_of(None) == "created"
    assert state_of(head(version=1, orders=1)) == "initialized"
    assert state_of(head(), running=True) == "running"
    assert state_of(head()) == "sleeping"
    assert state_of(head(Standing(state="paused", since="now"))) == "paused"
    assert since_of(None) is None
    assert since_of(head()) == "then"
    assert since_of(head(Standing(state="paused", since="now"))) == "now"


def test_an_order_leads_to_a_standing_or_is_refused_with_what_is_possible() -> None:
    paused = ordered("sleeping", "pause")
    assert paused is not None
    assert (paused.state, paused.event, paused.reason, paused.by) == ("paused", "pause", "r", "b")
    assert ordered("paused", "pause") is None
    assert ordered("sleeping", "register") is None
    assert ordered("sleeping", "resume") is None
    nudged = ordered("sleeping", "resume", waiting=3)
    assert nudged is not None
    assert nudged.state == "open"
    with pytest.raises(NotAllowedNow, match="Possible now: register"):
        ordered("terminated", "pause")
    with pytest.raises(NotAllowedNow, match="still giving up 2"):
        ordered("terminated", "register", waiting=2)
    with pytest.raises(NotAllowedNow, match="paused cannot take the order 'drain'"):
        ordered("paused", "drain")
    revived = ordered("terminated", "register")
    assert revived is not None
    assert revived.state == "open"
    assert set(ORDERS) <= set(MACHINE.events)


def test_draining_may_not_last_for_ever() -> None:
    draining = ordered("sleeping", "drain")
    assert draining is not None
    assert timeout_of(draining, NOW + timedelta(hours=23)) is None
    assert timeout_of(draining, NOW + timedelta(hours=24)) == "draining_timeout"
    assert timeout_of(OPEN, NOW) is None
    late = ordered("draining", "draining_timeout")
    assert late is not None
    assert late.state == "paused"
