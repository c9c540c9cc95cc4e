"""The base class of agents that see one case through a state machine: events are messages, timeouts are reminders.

There is one agent for each case, `<type>:<id>`. Being an agent's, its instance is stored, has one writer, and takes
each event once; its log of events is the journal.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, TypeAdapter

from aos.agents import Agent, Turn, on
from aos.agents.handlers import Handler
from aos.kernel.errors import SettingInvalid
from aos.reliability.state_machine import StateMachine
from aos.reliability.state_machine_instance import StateMachineInstance
from aos.workflows.machine_progress import MachineProgress

START = "machine.start"
ROLLBACK = "machine.rollback"
TIMEOUT = "machine.timeout"
_REMINDER = "machine-timeout"
_EVENT_DATA: TypeAdapter[Any] = TypeAdapter(dict[str, Any] | None)


class StartRequest(BaseModel):
    context: dict[str, Any] = {}


class RollbackRequest(BaseModel):
    to_version: int
    reason: str = ""


class StateMachineAgent(Agent[MachineProgress]):
    """An agent that goes through a machine.

    Subclass it with `type`, `purpose` and `machine`. It takes `machine.start` with the first context, each event of
    the machine as a message of that type, and `machine.rollback` with the version to go back to; each is answered with
    `instance_id`, `moved`, `state` and `version`. Events that time brings about cannot be sent: only the clock does.
    Override `entered` and `overdue` to act; guards and actions of the machine must depend on nothing but their
    arguments, for a turn may be tried again.

    Attributes:
        machine: The machine.
        max_snapshots: Newest versions it can go back to, the current one included.
    """

    listed: ClassVar[bool] = False
    machine: ClassVar[StateMachine]
    max_snapshots: ClassVar[int] = 20

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        machine = getattr(cls, "machine", None)
        if machine is None:
            return
        for event in machine.events:
            if ("message", event) in cls._handlers:
                raise SettingInvalid(
                    f"{cls.__name__} handles {event!r}, which is an event of its machine. Rename one, or override "
                    "`entered`."
                )
            if event not in machine.timeout_events:
                cls._handlers["message", event] = Handler("message", event, "take_event", _EVENT_DATA)

    def __init__(self) -> None:
        super().__init__()
        if getattr(self, "machine", None) is None:
            raise SettingInvalid(f"{type(self).__name__} has no `machine`. Give it a `StateMachine`.")

    async def entered(self, turn: Turn, instance: StateMachineInstance) -> None:
        """Called when the instance has begun or moved, but not after a rollback; it may change the context."""

    async def overdue(self, turn: Turn, instance: StateMachineInstance) -> None:
        """Called when a state has lasted too long and the machine has no way out of it for that."""

    @on(START)
    async def start(self, turn: Turn, state: MachineProgress, request: StartRequest) -> dict[str, Any]:
        instance = self.machine.create_instance(turn.agent, request.context, now=turn.now)
        state.begin(instance)
        await self.entered(turn, instance)
        state.note_version(instance, keep=self.max_snapshots)
        turn.record("machine.started", state=instance.current_state, version=state.version)
        self._watch(turn, instance)
        return self._answer(state, instance, moved=True)

    async def take_event(self, turn: Turn, state: MachineProgress, data: dict[str, Any] | None) -> dict[str, Any]:
        """Hand the machine the event that the message is."""
        instance, event = state.begun(turn.agent), turn.message.type
        old = instance.current_state
        moved = self.machine.handle(instance, event, data, now=turn.now)
        if moved:
            await self._moved(turn, state, instance, old, event)
        else:
            turn.record("machine.refused", state=old, event=event, version=state.version)
        return self._answer(state, instance, moved=moved)

    @on(ROLLBACK)
    async def roll_back(self, turn: Turn, state: MachineProgress, request: RollbackRequest) -> dict[str, Any]:
        instance = state.begun(turn.agent)
        old, from_version = instance.current_state, state.version
        state.roll_back(self.machine, instance, request.to_version, turn.now, keep=self.max_snapshots)
        turn.record(
            "machine.rolled_back",
            from_state=old,
            to_state=instance.current_state,
            from_version=from_version,
            to_version=request.to_version,
            version=state.version,
            reason=request.reason,
        )
        self._watch(turn, instance)
        return self._answer(state, instance, moved=True)

    @on(TIMEOUT)
    async def time_out(self, turn: Turn, state: MachineProgress, _: Any) -> None:
        instance = state.begun(turn.agent)
        old, since = instance.current_state, instance.state_entered_at
        event = self.machine.check_timeout(instance, now=turn.now)
        if event is None:
            # The clock of the host may be behind that of the bus.
            self._watch(turn, instance)
        elif instance.state_entered_at != since:
            await self._moved(turn, state, instance, old, event)
        else:
            turn.record("machine.overdue", state=old, event=event, version=state.version)
            await self.overdue(turn, instance)

    async def _moved(
        self, turn: Turn, state: MachineProgress, instance: StateMachineInstance, old: str, event: str
    ) -> None:
        await self.entered(turn, instance)
        state.note_version(instance, keep=self.max_snapshots)
        turn.record(
            "machine.transition",
            from_state=old,
            to_state=instance.current_state,
            event=event,
            version=state.version,
        )
        self._watch(turn, instance)

    def _watch(self, turn: Turn, instance: StateMachineInstance) -> None:
        due = self.machine.due_at(instance)
        if due is None:
            turn.forget(_REMINDER)
        else:
            turn.remind(_REMINDER, TIMEOUT, at=due)

    def _answer(self, state: MachineProgress, instance: StateMachineInstance, *, moved: bool) -> dict[str, Any]:
        return {
            "instance_id": instance.instance_id,
            "moved": moved,
            "state": instance.current_state,
            "version": state.version,
        }
