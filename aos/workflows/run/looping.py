"""Loops: one round after another, each a call, until a condition says that it is enough."""

from __future__ import annotations

from typing import Any

from aos.kernel.errors import AosError, InfrastructureError
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.step import Loop
from aos.workflows.definition.templates import is_true
from aos.workflows.run.calls import CALL_TIMEOUT, Asked, make_call
from aos.workflows.run.names import Names, names_for
from aos.workflows.run.outcome import Outcome, failed
from aos.workflows.run.records import last_key
from aos.workflows.run.retrying import try_later
from aos.workflows.run.run import Run, note
from aos.workflows.run.run_state import Call, Rounds
from aos.workflows.run.settling import settle


async def open_rounds(run: Run, place: int, attempt: int) -> None:
    """Begin a loop."""
    serial, timeout = run.next_serial(), run.graph.steps[place].timeout
    run.state.rounds[str(place)] = Rounds(serial=serial, since=run.turn.now, attempt=attempt)
    if timeout is not None:
        run.turn.remind(f"call-{place}", CALL_TIMEOUT, note(str(place), serial), after=timeout)
    run.turn.rows.put(last_key(place), None)
    await _next_round(run, place, None)


async def end_round(run: Run, place: int, outcome: Outcome, call: Call) -> None:
    """Take what came of a round, and go on with the next or end the loop."""
    rounds, loop = run.state.rounds.get(str(place)), _loop_of(run, place)
    if rounds is None:
        return
    rounds.cost += outcome.cost
    if outcome.error is not None:
        key = f"{place}.{rounds.round}"
        if not try_later(run, key, run.retry_of(key), call, outcome):
            end_rounds(run, place, outcome)
        return
    run.turn.rows.put(last_key(place), outcome.output)
    try:
        is_enough = loop.until is not None and await _holds(run, place, "until", loop.until, outcome.output)
    except InfrastructureError:
        raise
    except AosError as error:
        end_rounds(run, place, failed(error))
        return
    rounds.round += 1
    if is_enough or rounds.round >= loop.most:
        end_rounds(run, place, Outcome(outcome.output))
    else:
        await _next_round(run, place, outcome.output)


async def try_round(run: Run, place: int, attempt: int) -> None:
    """Begin an attempt at the round that is due."""
    step, loop, rounds = run.graph.steps[place], _loop_of(run, place), run.state.rounds[str(place)]
    action = loop.step or step.model_copy(update={"timeout": None, "retry": Retry()})
    path = (*run.path_of(place), "loop", "step" if loop.step is not None else "steps")
    names = await round_names(run, place)
    try:
        await make_call(run, Asked(f"{place}.{rounds.round}", place, attempt, action, names, path))
    except InfrastructureError:
        raise
    except AosError as error:
        end_rounds(run, place, failed(error))


async def round_names(run: Run, place: int) -> Names:
    last = await run.turn.rows.get(last_key(place))
    return await names_for(run, place, index=run.state.rounds[str(place)].round, last=last)


def end_rounds(run: Run, place: int, outcome: Outcome) -> None:
    """End a loop, or the attempt at it."""
    rounds = run.state.rounds[str(place)]
    call = Call(kind="retry", serial=rounds.serial, since=rounds.since, attempt=rounds.attempt)
    settle(run, place, Outcome(outcome.output, outcome.error, cost=rounds.cost), call)


async def _next_round(run: Run, place: int, last: Any) -> None:
    loop = _loop_of(run, place)
    try:
        goes_on = loop.while_ is None or await _holds(run, place, "while", loop.while_, last)
    except InfrastructureError:
        raise
    except AosError as error:
        end_rounds(run, place, failed(error))
        return
    if goes_on:
        await try_round(run, place, 1)
    else:
        end_rounds(run, place, Outcome(last))


async def _holds(run: Run, place: int, field: str, condition: str, last: Any) -> bool:
    names = await names_for(run, place, index=run.state.rounds[str(place)].round, last=last)
    return is_true(condition, names, where=f"Step {run.graph.steps[place].id!r}, loop.{field}")


def _loop_of(run: Run, place: int) -> Loop:
    loop = run.graph.steps[place].loop
    assert loop is not None  # noqa: S101  # there are rounds for loops only
    return loop
