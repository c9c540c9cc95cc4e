"""Begins what can be begun: ready steps, items of maps, the next compensation, and at last the end."""

from __future__ import annotations

from aos.kernel.errors import AosError, InfrastructureError, TerminalError
from aos.workflows.definition.templates import is_true
from aos.workflows.run.calls import Asked, make_call
from aos.workflows.run.compensation import undo_next
from aos.workflows.run.ending import end_when_done
from aos.workflows.run.fan_out import begin_item, next_fan, open_fan
from aos.workflows.run.looping import open_rounds
from aos.workflows.run.marks import Mark
from aos.workflows.run.names import names_for
from aos.workflows.run.outcome import failed
from aos.workflows.run.progress import tell_parent
from aos.workflows.run.run import Run
from aos.workflows.run.run_state import Call
from aos.workflows.run.settling import pass_over, settle
from aos.workflows.run.stopping import stop
from aos.workflows.status import RunStatus, StepStatus

GO_ON = "workflow.go-on"
MOST_BEGUN = 15
"""Steps and items that one message begins; each may write two rows."""


async def go_on(run: Run) -> None:
    """Begin what can be begun, as far as there is room, and end the run where nothing is left."""
    state = run.state
    if state.status.is_final:
        return
    if state.stopping is None and state.status is not RunStatus.PAUSED:
        await _begin(run)
    if state.stopping is not None and not state.calls:
        await undo_next(run, state.stopping)
    elif state.stopping is None:
        await _rest(run)
    for topic in state.topics:
        state.topics[topic] = any(call.topic == topic for call in state.calls.values())


async def begin_step(run: Run, place: int, attempt: int) -> None:
    """Begin an attempt at a step."""
    step = run.graph.steps[place]
    run.marks[place] = Mark.RUNNING
    if attempt == 1:
        run.turn.record("step.begun", step=step.id)
        tell_parent(run, place, StepStatus.RUNNING)
    if step.map is not None:
        open_fan(run, place, attempt)
    elif step.loop is not None:
        await open_rounds(run, place, attempt)
    else:
        names = await names_for(run, place)
        await make_call(run, Asked(str(place), place, attempt, step, names, run.path_of(place)))


async def try_step(run: Run, place: int, attempt: int) -> None:
    """As `begin_step`; where that is not possible the step has failed."""
    try:
        await begin_step(run, place, attempt)
    except InfrastructureError:
        raise
    except AosError as error:
        _fail(run, place, attempt, error)


async def _begin(run: Run) -> None:
    begun = 0
    while run.has_room and run.state.stopping is None:
        place, fan = run.marks.first(Mark.READY), next_fan(run)
        if place is None and fan is None:
            return
        if _is_over_budget(run):
            return
        if begun == MOST_BEGUN:
            if not run.state.going:
                run.turn.send(run.turn.agent, GO_ON)
                run.state.going = True
            return
        begun += 1
        if place is not None:
            await _begin_ready(run, place)
        elif fan is not None:
            await begin_item(run, fan)


async def _begin_ready(run: Run, place: int) -> None:
    step = run.graph.steps[place]
    try:
        if step.when is not None:
            names = await names_for(run, place)
            if not is_true(step.when, names, where=f"Step {step.id!r}, when"):
                pass_over(run, place)
                return
    except InfrastructureError:
        raise
    except AosError as error:
        _fail(run, place, 1, error)
        return
    await try_step(run, place, 1)


def _fail(run: Run, place: int, attempt: int, error: AosError) -> None:
    call = Call(kind="retry", serial=run.next_serial(), since=run.turn.now, attempt=attempt)
    settle(run, place, failed(error), call)


def _is_over_budget(run: Run) -> bool:
    budgets = [budget for budget in (run.request.budget, run.graph.workflow.budget) if budget is not None]
    if not budgets or run.state.cost_usd <= min(budgets):
        return False
    error = TerminalError(
        f"The run has spent {run.state.cost_usd:.4f} USD, over its budget of {min(budgets):g}. Raise the budget and "
        "run it again from the steps that were skipped.",
        code="budget_exceeded",
        details={"spent": run.state.cost_usd, "budget": min(budgets)},
    )
    stop(run, RunStatus.FAILED, error.to_json())
    return True


async def _rest(run: Run) -> None:
    """How a run stands that is not being stopped."""
    state = run.state
    is_ready = run.marks.has(Mark.READY)
    if not state.calls and not state.fans and not state.rounds and not is_ready:
        await end_when_done(run)
    elif state.status is not RunStatus.PAUSED:
        waits = bool(state.calls) and all(call.is_wait for call in state.calls.values())
        state.status = RunStatus.WAITING if waits and not is_ready else RunStatus.RUNNING
