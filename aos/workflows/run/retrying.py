"""Tries again what failed, after a pause that is a reminder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aos.workflows.definition.retry import Retry
from aos.workflows.run.outcome import Outcome
from aos.workflows.run.records import Record, attempt_key
from aos.workflows.run.run import Run, note, place_of
from aos.workflows.run.run_state import Call
from aos.workflows.status import StepStatus

TRY_AGAIN = "workflow.try-again"


def try_later(run: Run, key: str, retry: Retry, call: Call, outcome: Outcome) -> bool:
    """Plan another try of what a call was for; False where there is none."""
    error = outcome.error or {}
    if run.state.stopping is not None or call.attempt >= retry.attempts or not retry.covers(error):
        return False
    serial = run.next_serial()
    pause = retry.wait_before(call.attempt + 1)
    run.turn.remind(f"call-{key}", TRY_AGAIN, note(key, serial), after=pause)
    run.state.calls[key] = Call(
        kind="retry", serial=serial, since=run.turn.now, attempt=call.attempt + 1, label=call.label
    )
    _put_on_record(run, key, call, error, outcome)
    return True


def _put_on_record(run: Run, key: str, call: Call, error: dict[str, Any], outcome: Outcome) -> None:
    place = place_of(key)
    step = run.graph.steps[place]
    run.turn.record("step.tried", step=step.id, key=key, attempt=call.attempt, error=error)
    if "." in key:
        return
    row = record_of(run, step.id, call.since, call.attempt, call.label, outcome, StepStatus.FAILED)
    run.turn.rows.put(attempt_key(place, call.serial), row.model_dump(mode="json"))


def record_of(
    run: Run, step: str, since: datetime, attempt: int, agent: str, outcome: Outcome, status: StepStatus
) -> Record:
    """A row about something that has ended now."""
    return Record(
        step=step,
        status=status,
        started_at=since,
        finished_at=run.turn.now,
        agent=agent or None,
        attempt=attempt,
        generation=run.state.generation,
        output=outcome.output,
        error=outcome.error,
        cost=outcome.cost,
        tokens=outcome.tokens,
    )
