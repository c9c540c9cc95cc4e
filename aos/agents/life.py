"""The life of an agent as a state machine: which states there are, and which order leads from where to where.

Nobody writes the state down. It follows from the head: turns tell whether an agent has been woken, the standing what
its operator ordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aos.kernel.errors import NotAllowedNow
from aos.kernel.head import Head
from aos.kernel.message import format_time, parse_time
from aos.kernel.settings import KernelSettings
from aos.kernel.standing import OPEN, Standing
from aos.kernel.standing import State as Ordered
from aos.reliability.state_machine import State, StateMachine, Transition
from aos.reliability.state_machine_instance import StateMachineInstance

ORDERS = ("pause", "quarantine", "drain", "resume", "terminate", "register")
"""Events that an operator brings about."""

_DRAIN_SECONDS = 24 * 3600.0
_AT_WORK = ("created", "initialized", "running", "sleeping")
_STOPPED: Mapping[str, Ordered] = {
    "paused": "paused",
    "quarantined": "quarantined",
    "draining": "draining",
    "terminated": "terminated",
}


def _nothing_waits(facts: Mapping[str, Any]) -> bool:
    return not facts["waiting"]


def _something_waits(facts: Mapping[str, Any]) -> bool:
    return bool(facts["waiting"])


MACHINE = StateMachine(
    name="AgentLife",
    states=[
        "created",
        "initialized",
        State("running", timeout_seconds=KernelSettings().turn_seconds),
        "sleeping",
        "paused",
        "quarantined",
        State("draining", timeout_seconds=_DRAIN_SECONDS),
        "terminated",
    ],
    transitions=[
        ("created", "initialized", "initialize"),
        ("created", "initialized", "register"),
        ("created", "running", "start"),
        ("initialized", "running", "start"),
        ("running", "sleeping", "idle"),
        ("running", "sleeping", "running_timeout"),
        ("sleeping", "running", "wake"),
        ("draining", "running", "wake"),
        ("draining", "paused", "draining_timeout"),
        *(Transition(state, "paused", "pause") for state in (*_AT_WORK, "draining")),
        *(Transition(state, "quarantined", "quarantine") for state in (*_AT_WORK, "draining", "paused")),
        *(Transition(state, "draining", "drain") for state in _AT_WORK),
        *(Transition(state, "sleeping", "resume") for state in ("paused", "quarantined", "draining")),
        *(Transition(state, "sleeping", "resume", guard=_something_waits) for state in ("running", "sleeping")),
        *(Transition(state, "terminated", "terminate") for state in (*_AT_WORK, *_STOPPED) if state != "terminated"),
        Transition("terminated", "initialized", "register", guard=_nothing_waits),
    ],
)
"""An agent is `running` while this process takes a turn of it: of turns elsewhere nobody knows before their commit."""


def state_of(head: Head | None, *, running: bool = False) -> str:
    """Where an agent stands."""
    if head is None:
        return "created"
    if head.standing.state != "open":
        return head.standing.state
    if running:
        return "running"
    return "initialized" if head.version == head.vitals.orders else "sleeping"


def since_of(head: Head | None) -> str | None:
    """Since when (RFC 3339), None for one that has not lived."""
    if head is None:
        return None
    return head.standing.since if head.standing.state != "open" else head.updated


def waiting_in(head: Head) -> int:
    """Messages that are kept for an agent beside its mailbox."""
    return head.aside.count + head.waiting.count


def follow_order(
    state: str, event: str, *, waiting: int, reason: str, by: str, now: datetime, scope: str = ""
) -> Standing | None:
    """The standing that an order leads to, None where it is there already.

    Args:
        state: Where the agent stands.
        event: The order, one of `ORDERS` or a time-out.
        waiting: Messages that are kept for it beside its mailbox.
        reason: Why.
        by: Who gives the order.
        now: The time.
        scope: Whom the order is given to, see `Standing`.

    Raises:
        NotAllowedNow: the order leads nowhere from there.
    """
    instance = _instance(state, now, waiting)
    if not MACHINE.handle(instance, event, now=now):
        if _is_there(state, event):
            return None
        raise NotAllowedNow(_refusal(state, event, waiting))
    ordered = _STOPPED.get(instance.current_state, "open")
    return Standing(state=ordered, event=event, reason=reason, by=by, since=format_time(now), scope=scope)


def timeout_of(standing: Standing, now: datetime) -> str | None:
    """The event that is due because the standing has lasted too long, None if none is."""
    if standing is OPEN or standing.state == "open":
        return None
    return MACHINE.check_timeout(_instance(standing.state, parse_time(standing.since), 0), now=now)


def _instance(state: str, since: datetime, waiting: int) -> StateMachineInstance:
    return StateMachineInstance(
        instance_id="",
        machine_name=MACHINE.name,
        current_state=state,
        context={"waiting": waiting},
        state_entered_at=since,
    )


def _is_there(state: str, event: str) -> bool:
    targets = {way.to_state for way in MACHINE.transitions if way.event == event}
    return state in targets or (event in ("resume", "register") and state in _AT_WORK)


def _refusal(state: str, event: str, waiting: int) -> str:
    if (state, event) == ("terminated", "register"):
        return f"The agent is still giving up {waiting} messages that were there. Register it again in a moment."
    ways = [way.event for way in MACHINE.transitions if way.from_state == state and way.event in ORDERS]
    allowed = ", ".join(dict.fromkeys(ways))
    return f"An agent that is {state} cannot take the order {event!r}. Possible now: {allowed}."
