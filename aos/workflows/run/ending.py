"""Ends a run: its output or error, and the answer to whoever started it."""

from __future__ import annotations

from typing import Any

from aos.agents import Turn
from aos.kernel.errors import AosError, InfrastructureError, TerminalError
from aos.workflows.definition.templates import render
from aos.workflows.messages import START, RunEnded
from aos.workflows.run.marks import Mark
from aos.workflows.run.names import names_for_outputs
from aos.workflows.run.records import OUTPUT, UNDO, Completion, undone_and_left
from aos.workflows.run.run import Run
from aos.workflows.run.run_state import RunState, Stopping
from aos.workflows.status import RunStatus

_NAMED = 20
"""Steps that an error names."""


async def end_when_done(run: Run) -> None:
    """End a run of which nothing is left to do."""
    if run.marks.has(Mark.FAILED):
        error = run.state.error or {}
        _end(run.turn, run.state, RunStatus.FAILED, error=error)
        return
    try:
        names = await names_for_outputs(run)
        output = render(run.graph.outputs, names, where="The outputs")
    except InfrastructureError:
        raise
    except AosError as error:
        _end(run.turn, run.state, RunStatus.FAILED, error=error.to_json())
        return
    _end(run.turn, run.state, RunStatus.COMPLETED, output=output)


async def end_stopped(run: Run, stopping: Stopping) -> None:
    """End a run that was stopped, once all that can be undone is."""
    undoing, status, error = run.state.undoing, stopping.status, stopping.error
    run.marks.replace(Mark.RUNNING, Mark.CANCELLED)
    if undoing is not None and undoing.failed:
        status, error = RunStatus.FAILED, await _incomplete(run, stopping)
    elif undoing is not None and undoing.undone and status is RunStatus.FAILED:
        status = RunStatus.COMPENSATED
    _end(run.turn, run.state, status, error=error)


def refuse(turn: Turn, state: RunState, error: AosError) -> None:
    """End a run that cannot begin."""
    _end(turn, state, RunStatus.FAILED, error=error.to_json())


def _end(
    turn: Turn, state: RunState, status: RunStatus, *, output: Any = None, error: dict[str, Any] | None = None
) -> None:
    state.status, state.error, state.finished_at = status, error, turn.now
    state.stopping, state.resumes = None, None
    if status is RunStatus.COMPLETED:
        state.progress = 1.0
        turn.rows.put(OUTPUT, output)
    for name in ("deadline", "settle"):
        turn.forget(name)
    ended = RunEnded(
        run_id=turn.agent.partition(":")[2],
        status=status,
        output=output,
        error=error,
        cost_usd=round(state.cost_usd, 9),
        tokens=state.tokens,
        duration_seconds=(turn.now - (state.started_at or turn.now)).total_seconds(),
    )
    turn.record("run.ended", status=status.value, seconds=ended.duration_seconds, cost_usd=ended.cost_usd)
    turn.reply_to_held(state.held, ended.model_dump(mode="json"), type=f"{START}.reply")
    state.held = None


async def _incomplete(run: Run, stopping: Stopping) -> dict[str, Any]:
    """The error of a run that could not be undone completely, with what was undone and what was not."""
    undone, left = await _undone(run)
    names = ", ".join(entry["step"] for entry in left[:_NAMED])
    return TerminalError(
        f"{stopping.error['message']} Not all could be undone: {names}. See to these by hand.",
        code="compensation_incomplete",
        details={"cause": stopping.error, "compensated": undone[:_NAMED], "not_compensated": left[:_NAMED]},
    ).to_json()


async def _undone(run: Run) -> tuple[list[str], list[dict[str, Any]]]:
    """Steps that were undone, and those that could not be, each with the reason."""
    found = await run.turn.rows.page(UNDO, limit=run.state.completions)
    rows = [Completion.model_validate(row) for _, row in found]
    return undone_and_left([row for row in rows if row.generation == run.state.generation])
