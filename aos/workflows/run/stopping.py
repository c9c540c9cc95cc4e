"""Has a run come to its end before all is done: nothing new is begun, and what is under way is given up.

Where the workflow compensates, calls whose effect is not known yet are waited for, so that it can be undone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aos.kernel.errors import TerminalError
from aos.workflows.run.letting_go import let_go, let_go_of, take_back
from aos.workflows.run.marks import Mark
from aos.workflows.run.records import Completion, undo_key
from aos.workflows.run.run import Run, place_of
from aos.workflows.run.run_state import Stopping
from aos.workflows.status import RunStatus

SETTLE = "workflow.settle"
_CUT_OFF = "It was under way when the run was stopped, and how far it came is not known."
PATIENCE = timedelta(minutes=10)
"""How long answers are waited for that tell whether there is something to undo."""


def stop(run: Run, status: RunStatus, error: dict[str, Any]) -> None:
    """Begin to end a run that is at work."""
    state = run.state
    if state.stopping is not None:
        return
    state.stopping = Stopping(status=status, error=error)
    state.resumes = None
    rest = Mark.CANCELLED if status is RunStatus.CANCELLED else Mark.SKIPPED
    for mark in (Mark.PENDING, Mark.READY):
        run.marks.replace(mark, rest)
    reason = str(error["message"])
    if run.graph.workflow.on_failure != "compensate":
        give_up_all(run, reason)
        return
    state.status = RunStatus.COMPENSATING
    for place in [int(name) for name in (*state.fans, *state.rounds)]:
        note_unknown(run, place)
        let_go_of(run, place, reason)
    for key, call in list(state.calls.items()):
        if call.is_wait or call.kind == "retry":
            let_go(run, key, reason)
        elif call.kind in ("workflow", "part", "team"):
            take_back(run, call, reason)
    if state.calls:
        run.turn.remind("settle", SETTLE, after=PATIENCE)


def stop_waiting(run: Run) -> None:
    """The answers that would have told what there is to undo did not come."""
    for key in list(run.state.calls):
        note_unknown(run, place_of(key))
        let_go(run, key, "The run has ended.")


def note_unknown(run: Run, place: int, reason: str = _CUT_OFF) -> None:
    """Put on record that a step may have been done, in part or whole, and is not undone for that."""
    step, state = run.graph.steps[place], run.state
    if step.compensate is None:
        return
    state.completions += 1
    state.unknown += 1
    error = TerminalError(reason)
    row = Completion(step=step.id, place=place, generation=state.generation, status="failed", error=error.to_json())
    run.turn.rows.put(undo_key(state.completions), row.model_dump(mode="json"))


def give_up_all(run: Run, reason: str) -> None:
    """Let go of everything under way."""
    for place in [int(name) for name in (*run.state.fans, *run.state.rounds)]:
        let_go_of(run, place, reason)
    for key in list(run.state.calls):
        let_go(run, key, reason)
    run.marks.replace(Mark.RUNNING, Mark.CANCELLED)
