"""Undoes what completed steps did, the latest first, one after another, each once, with retries of its own."""

from __future__ import annotations

from datetime import timedelta

from aos.kernel.errors import AosError, InfrastructureError
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.step import Action, Compensation
from aos.workflows.run.calls import Asked, make_call
from aos.workflows.run.ending import end_stopped
from aos.workflows.run.marks import Mark
from aos.workflows.run.names import names_for_undoing
from aos.workflows.run.outcome import Outcome, failed
from aos.workflows.run.records import Completion, step_key, undo_key
from aos.workflows.run.retrying import TRY_AGAIN
from aos.workflows.run.run import UNDO_KEY, Run, note
from aos.workflows.run.run_state import Call, Stopping, Undoing

UNDO = "workflow.undo"
_RETRY = Retry(attempts=3)
_PATIENCE = timedelta(minutes=10)
_LOOKS = 30
"""Completions that one turn looks at."""


async def undo_next(run: Run, stopping: Stopping) -> None:
    """Begin to undo the next step that is to be undone, or end the run where there is none."""
    state = run.state
    if run.graph.workflow.on_failure != "compensate":
        await end_stopped(run, stopping)
        return
    undoing = state.undoing = state.undoing or Undoing(next=state.completions, failed=state.unknown)
    for _ in range(_LOOKS):
        if undoing.next == 0:
            await end_stopped(run, stopping)
            return
        completion = await _completion(run, undoing.next)
        if await _is_to_be_undone(run, completion, undoing.next):
            await try_to_undo(run, 1)
            if state.calls:
                return
        else:
            undoing.next -= 1
    run.turn.send(run.turn.agent, UNDO)


async def try_to_undo(run: Run, attempt: int) -> None:
    """Begin an attempt to undo the step whose turn it is."""
    undoing = _undoing(run)
    completion = await _completion(run, undoing.next)
    place = completion.place
    step = run.graph.steps[place]
    key, compensation = f"{UNDO_KEY}{undoing.next}", step.compensate
    assert compensation is not None  # noqa: S101  # it is on record because it has one
    action = _action(compensation, step.permissions, step.timeout or _PATIENCE)
    try:
        names = await names_for_undoing(run, place)
        await make_call(run, Asked(key, place, attempt, action, names, ("steps", place, "compensate")))
    except InfrastructureError:
        raise
    except AosError as error:
        _leave(run, completion, failed(error))


async def end_undoing(run: Run, key: str, call: Call, outcome: Outcome) -> None:
    """Take what came of an attempt to undo a step."""
    undoing = _undoing(run)
    completion = await _completion(run, undoing.next)
    step = run.graph.steps[completion.place]
    if outcome.error is None:
        run.marks[completion.place] = Mark.COMPENSATED
        undoing.undone += 1
        completion.status = "compensated"
        run.turn.record("step.compensated", step=step.id)
        _put(run, completion)
        return
    retry = step.retry if step.retry.attempts > 1 else _RETRY
    if call.attempt >= retry.attempts or not retry.covers(outcome.error):
        _leave(run, completion, outcome)
        return
    serial = run.next_serial()
    pause = retry.wait_before(call.attempt + 1)
    run.turn.remind(f"call-{key}", TRY_AGAIN, note(key, serial), after=pause)
    run.state.calls[key] = Call(kind="retry", serial=serial, since=run.turn.now, attempt=call.attempt + 1)


def _leave(run: Run, completion: Completion, outcome: Outcome) -> None:
    """Put on record that a step could not be undone."""
    completion.status, completion.error = "failed", outcome.error
    _undoing(run).failed += 1
    run.turn.record("step.not_compensated", step=completion.step, error=outcome.error)
    _put(run, completion)


def _put(run: Run, completion: Completion) -> None:
    undoing = _undoing(run)
    run.turn.rows.put(undo_key(undoing.next), completion.model_dump(mode="json"))
    undoing.next -= 1


async def _is_to_be_undone(run: Run, completion: Completion, number: int) -> bool:
    """Not what was done again since, nor what may never have been done."""
    if completion.status != "open" or run.marks[completion.place] is not Mark.COMPLETED:
        return False
    row = await run.turn.rows.get(step_key(completion.place))
    return row is not None and row["completion"] == number


def _action(undone_by: Compensation, permissions: tuple[str, ...], timeout: timedelta) -> Action:
    who = {"agent": undone_by.agent} if undone_by.agent is not None else {"tool": undone_by.tool}
    return Action.model_validate(
        {**who, "message": undone_by.message, "with": undone_by.with_, "permissions": permissions, "timeout": timeout}
    )


async def _completion(run: Run, number: int) -> Completion:
    return Completion.model_validate(await run.turn.rows.get(undo_key(number)))


def _undoing(run: Run) -> Undoing:
    undoing = run.state.undoing
    assert undoing is not None  # noqa: S101  # called while it is under way only
    return undoing
