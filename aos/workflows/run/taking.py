"""Takes what comes in: outcomes of calls, the end of pauses, events. What belongs to no call any more is too late."""

from __future__ import annotations

from typing import Any

from aos.agents.topics import matches
from aos.kernel.errors import AosError, InfrastructureError, NotAllowedNow
from aos.workflows.definition.templates import is_true
from aos.workflows.messages import RunEvent
from aos.workflows.run.compensation import end_undoing, try_to_undo
from aos.workflows.run.fan_out import end_fan, end_item, item_names, try_item
from aos.workflows.run.going_on import try_step
from aos.workflows.run.letting_go import take_back
from aos.workflows.run.looping import end_round, end_rounds, round_names, try_round
from aos.workflows.run.names import Names, names_for
from aos.workflows.run.outcome import Outcome
from aos.workflows.run.run import Run, index_of, is_undo, place_of
from aos.workflows.run.settling import settle

_OTHERS = ("workflow", "part", "team")


async def take(run: Run, key: str, outcome: Outcome) -> None:
    """Take what came of a call."""
    state = run.state
    call = state.calls.pop(key)
    run.turn.forget(f"call-{key}")
    state.cost_usd += outcome.cost
    state.tokens += outcome.tokens
    if outcome.error is not None and outcome.error.get("code") == "deadline_exceeded" and call.kind in _OTHERS:
        take_back(run, call, "It took too long.")
    if is_undo(key):
        await end_undoing(run, key, call, outcome)
        return
    place, step = place_of(key), run.graph.steps[place_of(key)]
    if "." not in key:
        settle(run, place, outcome, call)
    elif step.map is not None:
        await end_item(run, place, index_of(key), outcome, call)
    else:
        await end_round(run, place, outcome, call)


async def try_again(run: Run, key: str) -> None:
    """Begin the next attempt of what failed."""
    attempt = run.state.calls.pop(key).attempt
    if is_undo(key):
        await try_to_undo(run, attempt)
        return
    place, step = place_of(key), run.graph.steps[place_of(key)]
    if "." not in key:
        await try_step(run, place, attempt)
    elif step.map is not None:
        await try_item(run, place, index_of(key), attempt)
    else:
        await try_round(run, place, attempt)


def time_out(run: Run, key: str, serial: int, error: AosError) -> bool:
    """End a map or a loop that takes too long; False where it is none."""
    outcome = Outcome(error=error.to_json())
    fan, rounds = run.state.fans.get(key), run.state.rounds.get(key)
    if fan is not None and fan.serial == serial:
        end_fan(run, int(key), outcome)
    elif rounds is not None and rounds.serial == serial:
        end_rounds(run, int(key), outcome)
    else:
        return False
    return True


async def take_event(run: Run, event: RunEvent) -> int:
    """Hand an event to all that wait for it; returns how many did."""
    waiting = [
        (key, call.where)
        for key, call in run.state.calls.items()
        if call.topic is not None and matches(call.topic, event.topic)
    ]
    taken = 0
    for key, where in waiting:
        if key in run.state.calls and await _is_meant(run, key, where, event):
            await take(run, key, Outcome(event.data))
            taken += 1
    return taken


async def take_response(run: Run, step: str, value: Any) -> None:
    """Take a value as the output of a step that waits for an event. Raises `NotAllowedNow` where none waits."""
    id, _, index = step.rstrip("]").partition("[")
    found = run.graph.workflow.places.get(id)
    key = "" if found is None else f"{found[0]}.{index}" if index else str(found[0])
    call = run.state.calls.get(key)
    if call is None or call.kind != "event":
        raise NotAllowedNow(f"Step {step!r} of run {run.id!r} does not wait for an event.", code="step_not_waiting")
    await take(run, key, Outcome(value))


async def _is_meant(run: Run, key: str, where: str | None, event: RunEvent) -> bool:
    if where is None:
        return True
    try:
        names = {**await _names(run, key), "event": event.data}
        return is_true(where, names, where=f"Step {run.graph.steps[place_of(key)].id!r}, wait.event.where")
    except InfrastructureError:
        raise
    except AosError as error:
        # An event of another shape is none that is waited for.
        run.turn.record("event.passed_over", topic=event.topic, key=key, error=error.to_json())
        return False


async def _names(run: Run, key: str) -> Names:
    place = place_of(key)
    if "." not in key:
        return await names_for(run, place)
    if run.graph.steps[place].map is not None:
        return await item_names(run, place, index_of(key))
    return await round_names(run, place)
