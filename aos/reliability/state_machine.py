"""State machines: the states a case may be in, what leads from one to another, and how long each may last.

Pure: a machine is a description, an instance is data, and the time is handed in or comes from a clock.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self, TypeAlias

from aos.kernel.ambient import SystemClock
from aos.kernel.errors import InvalidInput, SettingInvalid
from aos.kernel.ports import Clock
from aos.reliability.state_machine_check import check_machine
from aos.reliability.state_machine_instance import StateMachineInstance, TransitionRecord

Guard: TypeAlias = Callable[[Mapping[str, Any]], bool]
Hook: TypeAlias = Callable[[dict[str, Any]], None]

_log = logging.getLogger("aos.reliability.state_machine")


@dataclass(frozen=True, slots=True)
class State:
    """One state.

    Attributes:
        name: What it is called.
        is_terminal: Whether nothing leads out of it.
        timeout_seconds: How long it may last; after that `<name>_timeout` is due.
        on_enter, on_exit: Called with the context, which they may change.
    """

    name: str
    is_terminal: bool = False
    timeout_seconds: float | None = None
    on_enter: Hook | None = None
    on_exit: Hook | None = None

    @property
    def timeout_event(self) -> str:
        return f"{self.name}_timeout"


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from a state to another.

    Attributes:
        from_state, to_state: Names of states.
        event: What takes this way.
        guard: Says, from the context united with the event's data, whether it may be taken.
        action: Called with the context, the event's data already in it; it may change it.
    """

    from_state: str
    to_state: str
    event: str
    guard: Guard | None = None
    action: Hook | None = None

    @classmethod
    def of(cls, value: TransitionLike) -> Self:
        """A transition from a mapping with `from`, `to`, `event`, or from a tuple in that order.

        Raises:
            SettingInvalid: it has another shape.
        """
        if isinstance(value, cls):
            return value
        try:
            if isinstance(value, Mapping):
                names = {"from": "from_state", "to": "to_state"}
                return cls(**{names.get(key, key): part for key, part in value.items()})
            return cls(*value)  # type: ignore[misc]  # of any other shape, this raises
        except TypeError as error:
            raise SettingInvalid(
                f"The transition {value!r} cannot be read: {error}. Give `from`, `to` and `event`, as a mapping or in "
                "this order; `guard` and `action` if needed."
            ) from error


StateLike: TypeAlias = State | str | Mapping[str, Any]
TransitionLike: TypeAlias = Transition | Mapping[str, Any] | tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class StateMachineConfig:
    """A machine as one object."""

    name: str
    states: Sequence[StateLike]
    transitions: Sequence[TransitionLike]
    initial_state: str


class StateMachine:
    """A machine, from a `StateMachineConfig` or from lists: `StateMachine(states=[...], transitions=[...])`.

    In a list a state may be a name, a mapping or a `State`; a bare name that nothing leads out of is terminal.

    Args:
        config: The machine as one object, or its states.
        transitions: Ways between states: `Transition`s, mappings, or tuples (from, to, event).
        states: The states, where `config` is not given.
        initial_state: Where instances begin; the first state without one.
        name: Of the machine.
        max_history: Newest transitions an instance remembers.
        clock: Where the time comes from when none is handed in.

    Raises:
        SettingInvalid: it is not a machine; the message says what is wrong with it.
    """

    def __init__(
        self,
        config: StateMachineConfig | Sequence[StateLike] | None = None,
        transitions: Sequence[TransitionLike] = (),
        *,
        states: Sequence[StateLike] = (),
        initial_state: str | None = None,
        name: str = "StateMachine",
        max_history: int = 50,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(config, StateMachineConfig):
            states, transitions = config.states, config.transitions
            initial_state, name = config.initial_state, config.name
        elif config is not None:
            states = config
        self.name = name
        self.max_history = max_history
        self.transitions = tuple(Transition.of(transition) for transition in transitions)
        left = {transition.from_state for transition in self.transitions}
        listed = [_state(state, left) for state in states]
        self.states = {state.name: state for state in listed}
        self.initial_state = initial_state if initial_state is not None else next(iter(self.states), "")
        self._clock = clock or SystemClock()
        check_machine(name, listed, self.transitions, self.initial_state)

    @property
    def events(self) -> list[str]:
        """Names of the events it knows, sorted."""
        return sorted({transition.event for transition in self.transitions})

    @property
    def timeout_events(self) -> frozenset[str]:
        """Events that the passing of time brings about."""
        return frozenset(state.timeout_event for state in self.states.values() if state.timeout_seconds is not None)

    def create_instance(
        self, instance_id: str, context: Mapping[str, Any] | None = None, *, now: datetime | None = None
    ) -> StateMachineInstance:
        """A new instance in the initial state, whose `on_enter` is called."""
        facts = copy.deepcopy(dict(context or {}))
        state = self.states[self.initial_state]
        if state.on_enter:
            state.on_enter(facts)
        return StateMachineInstance(
            instance_id=instance_id,
            machine_name=self.name,
            current_state=state.name,
            context=facts,
            state_entered_at=now or self._clock.now(),
        )

    def handle(
        self,
        instance: StateMachineInstance,
        event: str,
        data: Mapping[str, Any] | None = None,
        *,
        now: datetime | None = None,
    ) -> bool:
        """Take the first way out of the current state that this event has and whose guard allows it.

        In this order: `on_exit`, the event's data goes into the context, the action, `on_enter`. If one of them
        raises, the instance stays as it was.

        Returns:
            Whether the instance moved: not out of a terminal state, nor where no way is open.

        Raises:
            InvalidInput: the instance is not one of this machine.
        """
        state = self._state_of(instance)
        if state.is_terminal:
            return False
        united = {**instance.context, **(data or {})}
        for way in self.transitions:
            if (way.from_state, way.event) == (state.name, event) and (way.guard is None or way.guard(united)):
                self._move(instance, way, data or {}, now or self._clock.now())
                return True
        return False

    transition = handle

    def due_at(self, instance: StateMachineInstance) -> datetime | None:
        """When the current state times out; None if it never does."""
        seconds = self._state_of(instance).timeout_seconds
        return None if seconds is None else instance.state_entered_at + timedelta(seconds=seconds)

    def check_timeout(self, instance: StateMachineInstance, *, now: datetime | None = None) -> str | None:
        """Where the current state has lasted too long, fire `<state>_timeout`; a machine need not have a way for it.

        Returns:
            The name of the event, or None where no timeout is due.
        """
        moment, due = now or self._clock.now(), self.due_at(instance)
        if due is None or moment < due:
            return None
        event = self._state_of(instance).timeout_event
        self.handle(instance, event, now=moment)
        return event

    def get_available_events(self, instance: StateMachineInstance) -> list[str]:
        """Events that have a way out of the current state, whatever their guards say."""
        return list(dict.fromkeys(way.event for way in self.transitions if way.from_state == instance.current_state))

    def is_terminal(self, instance: StateMachineInstance) -> bool:
        return self._state_of(instance).is_terminal

    def _state_of(self, instance: StateMachineInstance) -> State:
        state = self.states.get(instance.current_state)
        if state is None or instance.machine_name != self.name:
            raise InvalidInput(
                f"Instance {instance.instance_id!r} is in state {instance.current_state!r} of machine "
                f"{instance.machine_name!r}; {self.name!r} has {', '.join(self.states)}. Use the machine that made it."
            )
        return state

    def _move(self, instance: StateMachineInstance, way: Transition, data: Mapping[str, Any], now: datetime) -> None:
        context = copy.deepcopy(instance.context)
        old, new = self.states[way.from_state], self.states[way.to_state]
        if old.on_exit:
            old.on_exit(context)
        context.update(copy.deepcopy(dict(data)))
        if way.action:
            way.action(context)
        if new.on_enter:
            new.on_enter(context)
        record = TransitionRecord(from_state=old.name, to_state=new.name, event=way.event, timestamp=now)
        instance.enter(new.name, context, record, keep=self.max_history)
        _log.debug("%s of %s: %s -> %s on %s", instance.instance_id, self.name, old.name, new.name, way.event)


def _state(value: StateLike, left: set[str]) -> State:
    if isinstance(value, State):
        return value
    if isinstance(value, str):
        return State(value, is_terminal=value not in left)
    try:
        return State(**value)
    except TypeError as error:
        raise SettingInvalid(
            f"The state {dict(value)!r} cannot be read: {error}. It has `name`, and may have `is_terminal`, "
            "`timeout_seconds`, `on_enter`, `on_exit`."
        ) from error
