"""Goes back to a step or to a checkpoint: what was done before is kept, the rest is done anew, as a new generation."""

from __future__ import annotations

from collections.abc import Iterable

from aos.kernel.errors import NotAllowedNow, NotFound
from aos.workflows.run.letting_go import let_go_of
from aos.workflows.run.marks import Mark, Marks
from aos.workflows.run.progress import note_progress
from aos.workflows.run.ready import mark_beginning
from aos.workflows.run.records import checkpoint_key
from aos.workflows.run.run import Run
from aos.workflows.status import RunStatus


def run_again_from(run: Run, step: str) -> None:
    """Do a step anew, and all that depends on it.

    Raises:
        NotFound: there is no such step.
        NotAllowedNow: what it needs was not done or is undone, or the run is being undone.
    """
    found = run.graph.workflow.places.get(step)
    if found is None:
        raise NotFound(f"Run {run.id!r} has no step {step!r}.", code="unknown_step")
    _begin_anew(run, run.graph.followers(found[0]), f"It is run again from step {step!r}.")


def keep_checkpoint(run: Run, name: str) -> None:
    """Keep how the steps stand, to go back to it."""
    state = run.state
    kept = {"name": name, "at": run.turn.now.isoformat(), "version": run.turn.version, "marks": list(state.marks)}
    run.turn.rows.put(checkpoint_key(name), kept)
    run.turn.record("run.checkpoint", name=name)


async def roll_back(run: Run, name: str) -> None:
    """Do anew whatever was not done yet at a checkpoint, and all that depends on it.

    Raises:
        NotFound: there is no such checkpoint.
        NotAllowedNow: as for `run_again_from`.
    """
    kept = await run.turn.rows.get(checkpoint_key(name))
    if kept is None:
        raise NotFound(f"Run {run.id!r} has no checkpoint {name!r}.")
    before = list(Marks(list(kept["marks"])))
    anew = {place for place, mark in enumerate(before) if not mark.satisfies}
    for place in list(anew):
        anew.update(run.graph.followers(place))
    _begin_anew(run, sorted(anew), f"It is rolled back to checkpoint {name!r}.")


def _begin_anew(run: Run, places: Iterable[int], reason: str) -> None:
    state, marks = run.state, run.marks
    chosen = list(places)
    if not state.steps:
        raise NotAllowedNow(f"Run {run.id!r} could not begin. Start another.", code="run_not_begun")
    if state.stopping is not None:
        raise NotAllowedNow(f"Run {run.id!r} is being ended. Wait until it has.", code="run_ending")
    _check_needs(run, set(chosen))
    for place in chosen:
        if marks[place].is_settled:
            state.settled -= 1
        elif marks[place] is Mark.RUNNING:
            let_go_of(run, place, reason)
        marks[place] = Mark.PENDING
    state.generation += 1
    state.status, state.error, state.finished_at = RunStatus.RUNNING, None, None
    state.undoing, state.unknown, state.progress = None, 0, 0.0
    mark_beginning(run.graph, marks)
    note_progress(run)
    run.turn.record("run.again", generation=state.generation, steps=len(chosen), reason=reason)


def _check_needs(run: Run, chosen: set[int]) -> None:
    """What is done anew can only be done with what it needs."""
    for place in sorted(chosen):
        for need in run.graph.needs[place]:
            mark = run.marks[need]
            if need not in chosen and mark.is_settled and not mark.satisfies:
                step, needed = run.graph.steps[place].id, run.graph.steps[need].id
                raise NotAllowedNow(
                    f"Step {step!r} needs {needed!r}, which is {mark.status.value}. Run it again from {needed!r}.",
                    code="step_not_done",
                )
