"""Settles steps: writes down how one ended, and marks what depends on it."""

from __future__ import annotations

from aos.workflows.definition.retry import Retry
from aos.workflows.run.letting_go import let_go_of
from aos.workflows.run.marks import Mark
from aos.workflows.run.outcome import Outcome
from aos.workflows.run.progress import note_progress, tell_parent
from aos.workflows.run.ready import mark_followers
from aos.workflows.run.records import Completion, step_key, undo_key
from aos.workflows.run.retrying import record_of, try_later
from aos.workflows.run.run import Run
from aos.workflows.run.run_state import Call
from aos.workflows.run.stopping import note_unknown, stop
from aos.workflows.status import RunStatus

_OUT_OF_TIME = Retry(on=("timeout",))


def settle(run: Run, place: int, outcome: Outcome, call: Call) -> None:
    """End a step, or plan its next attempt.

    Args:
        run: The run.
        place: Of the step.
        outcome: Of the attempt.
        call: The attempt: when it began, its number, and who did it.
    """
    let_go_of(run, place, "The step has ended.")
    step, state = run.graph.steps[place], run.state
    if outcome.error is not None and try_later(run, str(place), step.retry, call, outcome):
        return
    mark = Mark.COMPLETED if outcome.error is None else Mark.TOLERATED if step.optional else Mark.FAILED
    run.marks[place] = mark
    row = record_of(run, step.id, call.since, call.attempt, call.label, outcome, mark.status)
    if mark is Mark.COMPLETED and step.compensate is not None:
        state.completions += 1
        row.completion = state.completions
        completion = Completion(step=step.id, place=place, generation=state.generation)
        run.turn.rows.put(undo_key(state.completions), completion.model_dump(mode="json"))
    run.turn.rows.put(step_key(place), row.model_dump(mode="json"))
    state.settled += 1
    if mark is not Mark.FAILED:
        _tell(run, step.id, call, outcome)
    _follow(run, place, mark, outcome)
    tell_parent(
        run,
        place,
        mark.status,
        is_further=note_progress(run),
        agent=call.label or None,
        result=outcome.output,
        error=outcome.error,
        cost=outcome.cost,
    )


def pass_over(run: Run, place: int) -> None:
    """Skip a step because its own condition does not hold."""
    run.marks[place] = Mark.PASSED
    run.state.settled += 1
    mark_followers(run.graph, run.marks, place)
    run.turn.record("step.skipped", step=run.graph.steps[place].id)
    tell_parent(run, place, Mark.PASSED.status, is_further=note_progress(run))


def _tell(run: Run, step: str, call: Call, outcome: Outcome) -> None:
    """Put on record, for those who follow the run, how a step ended that does not fail it."""
    seconds = round((run.turn.now - call.since).total_seconds(), 3)
    cost = {"cost_usd": outcome.cost} if outcome.cost else {}
    if outcome.error is None:
        run.turn.record("step.completed", step=step, seconds=seconds, **cost)
    else:
        run.turn.record("step.failed", step=step, error=outcome.error, optional=True, **cost)


def _follow(run: Run, place: int, mark: Mark, outcome: Outcome) -> None:
    state, step = run.state, run.graph.steps[place]
    if state.stopping is None:
        state.settled += mark_followers(run.graph, run.marks, place)
    if mark is not Mark.FAILED:
        return
    error = {**(outcome.error or {}), "step": step.id}
    state.error = state.error or error
    run.turn.record("step.failed", step=step.id, error=outcome.error)
    if run.graph.workflow.on_failure == "compensate":
        if _OUT_OF_TIME.covers(error):
            note_unknown(run, place, "It did not answer in time, and whether it was done is not known.")
        stop(run, RunStatus.FAILED, error)
