"""The state of an agent that goes through a state machine: its instance, and snapshots it can go back to."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from aos.kernel.errors import AlreadyExists, NotAllowedNow, NotFound
from aos.reliability.state_machine import StateMachine
from aos.reliability.state_machine_instance import StateMachineInstance, TransitionRecord

ROLLBACK = "rollback"
"""Event under which a rollback is in the history."""


class Snapshot(BaseModel):
    """What a rollback restores."""

    current_state: str
    context: dict[str, Any]


class MachineProgress(BaseModel):
    """An instance and its versions: 1 when it begins, one more with each transition and each rollback.

    Attributes:
        instance: The instance; None before it has begun.
        version: Number of what is there now.
        snapshots: What was there at the newest versions, the current one included.
    """

    instance: StateMachineInstance | None = None
    version: int = 0
    # By number as text, for a journal entry then holds one that came and the name of one that went.
    snapshots: dict[str, Snapshot] = {}

    def begun(self, agent: str) -> StateMachineInstance:
        """The instance. Raises `NotAllowedNow` before it has begun."""
        if self.instance is None:
            raise NotAllowedNow(f"{agent!r} has not begun. Send it 'machine.start' first.")
        return self.instance

    def begin(self, instance: StateMachineInstance) -> None:
        """Begin with this instance. Raises `AlreadyExists` where there is one."""
        if self.instance is not None:
            raise AlreadyExists(f"Instance {instance.instance_id!r} has begun already. Use another id.")
        self.instance = instance

    def note_version(self, instance: StateMachineInstance, *, keep: int) -> None:
        """Count a version and take its snapshot, and drop the oldest over `keep`."""
        self.version += 1
        self.snapshots[str(self.version)] = Snapshot(
            current_state=instance.current_state, context=copy.deepcopy(instance.context)
        )
        while len(self.snapshots) > keep:
            del self.snapshots[min(self.snapshots, key=int)]

    def roll_back(
        self, machine: StateMachine, instance: StateMachineInstance, to_version: int, now: datetime, *, keep: int
    ) -> None:
        """Stand again where version `to_version` stood. It is a new version; the time in its state begins anew.

        Raises:
            NotFound: the version is not an earlier one, or no longer kept.
        """
        snapshot = self.snapshots.get(str(to_version))
        if snapshot is None or to_version == self.version:
            earlier = ", ".join(version for version in self.snapshots if version != str(self.version)) or "none"
            raise NotFound(
                f"{instance.instance_id!r} cannot go back to version {to_version} from {self.version}. It keeps: "
                f"{earlier}."
            )
        record = TransitionRecord(
            from_state=instance.current_state, to_state=snapshot.current_state, event=ROLLBACK, timestamp=now
        )
        instance.enter(snapshot.current_state, copy.deepcopy(snapshot.context), record, keep=machine.max_history)
        self.note_version(instance, keep=keep)
