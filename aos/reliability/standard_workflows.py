"""The machines that come with AOS, as data: how a decision is come to, and how an incident is dealt with."""

from __future__ import annotations

from aos.reliability.state_machine import State, StateMachine, StateMachineConfig, Transition

_HOUR = 3600.0

DECISION_WORKFLOW = StateMachineConfig(
    name="DecisionWorkflow",
    initial_state="pending",
    states=(
        State("pending", timeout_seconds=24 * _HOUR),
        State("under_review", timeout_seconds=72 * _HOUR),
        State("escalated", timeout_seconds=48 * _HOUR),
        State("approved", is_terminal=True),
        State("rejected", is_terminal=True),
    ),
    transitions=(
        Transition("pending", "under_review", "start_review"),
        Transition("pending", "escalated", "pending_timeout"),
        Transition("under_review", "approved", "approve"),
        Transition("under_review", "rejected", "reject"),
        Transition("under_review", "escalated", "escalate"),
        Transition("escalated", "approved", "approve"),
        Transition("escalated", "rejected", "reject"),
    ),
)

INCIDENT_WORKFLOW = StateMachineConfig(
    name="IncidentWorkflow",
    initial_state="reported",
    states=(
        State("reported", timeout_seconds=1 * _HOUR),
        State("acknowledged", timeout_seconds=4 * _HOUR),
        State("investigating", timeout_seconds=8 * _HOUR),
        State("resolved", timeout_seconds=24 * _HOUR),
        State("closed", is_terminal=True),
    ),
    transitions=(
        Transition("reported", "acknowledged", "acknowledge"),
        Transition("acknowledged", "investigating", "start_investigation"),
        Transition("investigating", "resolved", "resolve"),
        Transition("resolved", "closed", "verify"),
        Transition("resolved", "investigating", "reopen"),
    ),
)

DecisionWorkflow = StateMachine(DECISION_WORKFLOW)
IncidentWorkflow = StateMachine(INCIDENT_WORKFLOW)
