"""One case on its way through a state machine: plain data, to be stored as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class TransitionRecord(BaseModel):
    """A transition that happened."""

    from_state: str
    to_state: str
    event: str
    timestamp: datetime


class StateMachineInstance(BaseModel):
    """Where a case stands. `model_dump(mode="json")` and `model_validate` are its way to JSON and back.

    Attributes:
        instance_id: Its id.
        machine_name: The machine it is an instance of.
        current_state: Where it stands.
        context: What it knows: what it began with and the data of events since.
        state_entered_at: Since when it stands there.
        transition_history: The newest transitions, oldest first; the machine says how many.
    """

    instance_id: str
    machine_name: str
    current_state: str
    context: dict[str, Any] = {}
    state_entered_at: datetime
    transition_history: list[TransitionRecord] = []

    def enter(self, state: str, context: dict[str, Any], record: TransitionRecord, *, keep: int) -> None:
        """Stand in another state from the record's time on; the machine has checked that it may."""
        self.current_state, self.context, self.state_entered_at = state, context, record.timestamp
        history = [*self.transition_history, record]
        self.transition_history = history[max(0, len(history) - keep) :]
