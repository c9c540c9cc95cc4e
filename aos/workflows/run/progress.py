"""How far a run is: steps count alike, a map by its items. It never falls, and is told in steps of a hundredth."""

from __future__ import annotations

import math
from typing import Any

from aos.workflows.messages import PROGRESS, Progress
from aos.workflows.run.run import Run
from aos.workflows.status import StepStatus

FEW_STEPS = 50
"""Up to so many steps, the beginning and end of each is told."""


def note_progress(run: Run) -> bool:
    """Work out how far the run is; whether that is further than before."""
    state = run.state
    under_way = sum(fan.done / fan.size for fan in state.fans.values() if fan.size)
    share = (state.settled + under_way) / max(1, state.steps)
    # What is not over is not shown as done.
    found = min(0.99, math.floor(share * 100 + 1e-9) / 100)
    is_further = found > state.progress
    state.progress = max(found, state.progress)
    return is_further


def tell_parent(run: Run, place: int, status: StepStatus, *, is_further: bool = False, **facts: Any) -> None:
    """Tell whoever wants to hear of the run's progress about a step, unless there are too many to tell of each."""
    parent = run.request.parent
    if parent is None or not (is_further or run.state.steps <= FEW_STEPS):
        return
    step = run.graph.steps[place]
    told = Progress(
        run_id=run.id, step=step.id, status=status, title=step.title or step.id, progress=run.state.progress, **facts
    )
    run.turn.send(parent.address, PROGRESS, told.model_dump(mode="json"), subject=parent.note or None)
