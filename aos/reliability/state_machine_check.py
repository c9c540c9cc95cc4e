"""What makes a list of states and transitions a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aos.kernel.errors import SettingInvalid

if TYPE_CHECKING:
    from aos.reliability.state_machine import State, Transition


def check_machine(name: str, states: Sequence[State], transitions: Sequence[Transition], initial_state: str) -> None:
    """Raises `SettingInvalid` with everything that is wrong with a machine."""
    names = [state.name for state in states]
    problems = [*_of_names(names, initial_state), *_of_transitions(names, transitions)]
    # Where names are wrong, what follows from them would only repeat it.
    problems = problems or [*_of_states(states, transitions), *_of_reach(names, transitions, initial_state)]
    if problems:
        raise SettingInvalid(f"The state machine {name!r} cannot be used: {'; '.join(problems)}.")


def _of_names(names: Sequence[str], initial_state: str) -> list[str]:
    if not names:
        return ["it has no states"]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [f"state {name!r} is listed twice" for name in twice]
    if initial_state not in names:
        problems.append(f"its initial state {initial_state!r} is not one of {', '.join(names)}")
    return problems


def _of_transitions(names: Sequence[str], transitions: Sequence[Transition]) -> list[str]:
    return [
        f"the transition on {way.event!r} names the unknown state {state!r}"
        for way in transitions
        for state in dict.fromkeys((way.from_state, way.to_state))
        if state not in names
    ]


def _of_states(states: Sequence[State], transitions: Sequence[Transition]) -> list[str]:
    left = {way.from_state for way in transitions}
    problems = []
    for state in states:
        if state.is_terminal and state.name in left:
            problems.append(f"state {state.name!r} is terminal, but a transition leads out of it")
        if not state.is_terminal and state.name not in left:
            problems.append(f"state {state.name!r} has no way out: add a transition, or make it terminal")
        if state.timeout_seconds is not None and (state.is_terminal or state.timeout_seconds <= 0):
            problems.append(
                f"state {state.name!r} has a timeout of {state.timeout_seconds}: give a positive number of seconds, "
                "and none to a terminal state"
            )
    return problems


def _of_reach(names: Sequence[str], transitions: Sequence[Transition], initial_state: str) -> list[str]:
    reached, edge = {initial_state}, [initial_state]
    while edge:
        here = edge.pop()
        onward = {way.to_state for way in transitions if way.from_state == here} - reached
        reached |= onward
        edge += sorted(onward)
    return [f"state {name!r} cannot be reached from {initial_state!r}" for name in names if name not in reached]
