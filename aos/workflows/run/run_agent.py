"""The agent behind a run, `workflow:<run id>`: it takes what comes in, and begins what can be begun.

There is one for each run, and it is the only writer of it. All it does is send messages and write rows; what is done
for a step is done by others, so that steps run side by side.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from aos.agents import Agent, Turn, on, on_reply
from aos.kernel.address import agent_type
from aos.kernel.errors import (
    AosError,
    DeadlineExceeded,
    InfrastructureError,
    NotAllowedNow,
    NotFound,
    TerminalError,
)
from aos.kernel.json_text import length
from aos.kernel.policy import AgentPolicy
from aos.workflows.definition.inputs import checked_inputs
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import (
    CANCEL,
    EVENT,
    PAUSE,
    RERUN,
    RESPOND,
    RESUME,
    RUN_TYPE,
    START,
    CancelRun,
    RerunRun,
    Respond,
    RunEvent,
    StartRun,
)
from aos.workflows.run.again import keep_checkpoint, roll_back, run_again_from
from aos.workflows.run.calls import CALL_TIMEOUT, TIMER
from aos.workflows.run.compensation import UNDO
from aos.workflows.run.ending import refuse
from aos.workflows.run.fan_out import WRITE, write_items
from aos.workflows.run.going_on import GO_ON, go_on
from aos.workflows.run.marks import Marks
from aos.workflows.run.outcome import Outcome, outcome_of
from aos.workflows.run.parts import OPTION, inner_graph
from aos.workflows.run.ready import mark_beginning
from aos.workflows.run.records import INPUTS
from aos.workflows.run.retrying import TRY_AGAIN
from aos.workflows.run.run import Run, part_of
from aos.workflows.run.run_state import RunState
from aos.workflows.run.stopping import SETTLE, stop, stop_waiting
from aos.workflows.run.taking import take, take_event, take_response, time_out, try_again
from aos.workflows.status import RunStatus

CHECKPOINT = "workflow.checkpoint"
ROLLBACK = "workflow.rollback"
DEADLINE = "workflow.deadline"
MOST_IN_HEAD = 2_048
"""Bytes of inputs that are carried from turn to turn; more of them are read where they are needed."""


class CallNote(BaseModel):
    """Which call a message to oneself is about."""

    key: str
    serial: int


class Checkpoint(BaseModel):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class RunAgent(Agent[RunState]):
    """Sees one run of a workflow through.

    Args:
        store: Where the definitions are.
    """

    type = RUN_TYPE
    name = "Workflow run"
    purpose = "See one run of a workflow through, step by step"
    listed = False
    policy = AgentPolicy(max_pending_requests=5_000)

    def __init__(self, store: WorkflowStore) -> None:
        super().__init__()
        self._store = store

    @on(START)
    async def start(self, turn: Turn, state: RunState, request: StartRun) -> None:
        if state.request is not None:
            raise NotAllowedNow(f"Run {turn.agent!r} was started already. Use another id.", code="run_exists")
        state.request, state.held, state.labels = request, turn.hold_reply(), list(request.labels)
        state.created_at, state.started_at = turn.message.time, turn.now
        state.status = RunStatus.RUNNING
        try:
            run = await self._begin(turn, state, request)
        except InfrastructureError:
            raise
        except AosError as error:
            refuse(turn, state, error)
            return
        await go_on(run)

    @on_reply("*")
    async def answered(self, turn: Turn, state: RunState, answer: Any) -> None:
        sent = turn.request
        call = _call(state, CallNote.model_validate(sent.note)) if sent is not None else None
        if sent is None or call is None:
            return
        run = await self._open(turn, state)
        await take(run, sent.note["key"], outcome_of(call.kind, turn.message.type, answer))
        await go_on(run)

    @on(TIMER)
    async def wait_over(self, turn: Turn, state: RunState, about: CallNote) -> None:
        _check_own(turn)
        if _call(state, about) is not None:
            run = await self._open(turn, state)
            await take(run, about.key, Outcome(turn.now.isoformat()))
            await go_on(run)

    @on(CALL_TIMEOUT)
    async def call_timed_out(self, turn: Turn, state: RunState, about: CallNote) -> None:
        _check_own(turn)
        run = await self._open(turn, state)
        error = DeadlineExceeded("The step was not done in time.", code="step_timeout")
        if _call(state, about) is not None:
            await take(run, about.key, Outcome(error=error.to_json()))
        elif not time_out(run, about.key, about.serial, error):
            return
        await go_on(run)

    @on(TRY_AGAIN)
    async def pause_over(self, turn: Turn, state: RunState, about: CallNote) -> None:
        _check_own(turn)
        call = _call(state, about)
        if call is None:
            return
        if state.status is RunStatus.PAUSED:
            call.due = True
            return
        run = await self._open(turn, state)
        await try_again(run, about.key)
        await go_on(run)

    @on(WRITE)
    async def write_more(self, turn: Turn, state: RunState, about: CallNote) -> None:
        _check_own(turn)
        fan = state.fans.get(about.key)
        if fan is not None and fan.serial == about.serial:
            run = await self._open(turn, state)
            await write_items(run, int(about.key))
            await go_on(run)

    @on(GO_ON)
    async def begin_more(self, turn: Turn, state: RunState, _: Any) -> None:
        _check_own(turn)
        state.going = False
        await go_on(await self._open(turn, state))

    @on(UNDO)
    async def undo_more(self, turn: Turn, state: RunState, _: Any) -> None:
        _check_own(turn)
        await go_on(await self._open(turn, state))

    @on(SETTLE)
    async def waited_long_enough(self, turn: Turn, state: RunState, _: Any) -> None:
        _check_own(turn)
        run = await self._open(turn, state)
        if state.stopping is not None and state.undoing is None:
            stop_waiting(run)
            await go_on(run)

    @on(DEADLINE)
    async def deadline_passed(self, turn: Turn, state: RunState, _: Any) -> None:
        _check_own(turn)
        if not state.status.is_final:
            run = await self._open(turn, state)
            error = DeadlineExceeded("The run was not done by its deadline. Run it again with more time.")
            stop(run, RunStatus.FAILED, error.to_json())
            await go_on(run)

    @on(CANCEL)
    async def cancel(self, turn: Turn, state: RunState, request: CancelRun) -> None:
        if state.request is None or state.status.is_final:
            return
        run = await self._open(turn, state)
        error = TerminalError(request.reason, code="run_cancelled")
        stop(run, RunStatus.CANCELLED, error.to_json())
        await go_on(run)

    @on(PAUSE)
    async def pause(self, turn: Turn, state: RunState, _: Any) -> None:
        if state.status in (RunStatus.RUNNING, RunStatus.WAITING):
            state.status = RunStatus.PAUSED
            turn.record("run.paused")
            _pass_on(turn, state, PAUSE)

    @on(RESUME)
    async def resume(self, turn: Turn, state: RunState, _: Any) -> None:
        if state.status is not RunStatus.PAUSED:
            return
        state.status = RunStatus.RUNNING
        turn.record("run.resumed")
        _pass_on(turn, state, RESUME)
        run = await self._open(turn, state)
        for key in [key for key, call in state.calls.items() if call.due]:
            await try_again(run, key)
        await go_on(run)

    @on(RERUN)
    async def run_again(self, turn: Turn, state: RunState, request: RerunRun) -> None:
        run = await self._open(turn, state)
        run_again_from(run, request.from_step)
        self._plan_end(turn, run)
        await go_on(run)

    @on(CHECKPOINT)
    async def keep(self, turn: Turn, state: RunState, request: Checkpoint) -> None:
        keep_checkpoint(await self._open(turn, state), request.name)

    @on(ROLLBACK)
    async def go_back(self, turn: Turn, state: RunState, request: Checkpoint) -> None:
        run = await self._open(turn, state)
        await roll_back(run, request.name)
        self._plan_end(turn, run)
        await go_on(run)

    @on(EVENT)
    async def take_event(self, turn: Turn, state: RunState, event: RunEvent) -> None:
        if state.request is None or state.status.is_final or not any(call.topic for call in state.calls.values()):
            return
        run = await self._open(turn, state)
        if await take_event(run, event):
            await go_on(run)

    @on(RESPOND)
    async def respond(self, turn: Turn, state: RunState, response: Respond) -> None:
        run = await self._open(turn, state)
        await take_response(run, response.step, response.value)
        await go_on(run)

    async def _begin(self, turn: Turn, state: RunState, request: StartRun) -> Run:
        graph = await self._store.graph(request.definition)
        inputs = request.inputs
        if part_of(request) is None:
            inputs = checked_inputs(graph.workflow, inputs)
        given = {"inputs": inputs, OPTION: request.options.get(OPTION)}
        state.inputs_in_row = length(given) > MOST_IN_HEAD
        if state.inputs_in_row:
            turn.rows.put(INPUTS, given)
            options = {name: value for name, value in request.options.items() if name != OPTION}
            state.request = request.model_copy(update={"inputs": {}, "options": options})
        else:
            state.request = request.model_copy(update={"inputs": inputs})
        run = await self._open(turn, state)
        state.steps = len(run.graph.steps)
        state.marks.extend(Marks.fresh(state.steps))
        mark_beginning(run.graph, run.marks)
        self._plan_end(turn, run)
        turn.record("run.started", workflow=graph.workflow.name, version=graph.workflow.version)
        return run

    async def _open(self, turn: Turn, state: RunState) -> Run:
        """All that this turn works with. Raises `NotFound` where the run was never started."""
        if state.request is None:
            raise NotFound(f"There is no run {turn.agent!r}. Start it first.", code="unknown_run")
        # What a step is given may be made of anything that came in before.
        turn.label(*state.labels)
        state.labels = sorted(turn.labels)
        request, inputs = state.request, state.request.inputs
        if state.inputs_in_row:
            given = await turn.rows.get(INPUTS)
            inputs = given["inputs"]
            request = request.model_copy(update={"options": {**request.options, OPTION: given[OPTION]}})
        graph, part = await self._store.graph(request.definition), part_of(request)
        if part is not None:
            graph = inner_graph(graph, part.path)
        return Run(turn, state, graph, self._store, self._takes, part, inputs)

    def _plan_end(self, turn: Turn, run: Run) -> None:
        """See that the run ends in time."""
        timeout = run.graph.workflow.timeout
        ends = [run.request.deadline, None if timeout is None else turn.now + timeout]
        known: list[datetime] = [end for end in ends if end is not None]
        if known:
            turn.remind("deadline", DEADLINE, at=max(turn.now, min(known)))

    def _takes(self, address: str, message_type: str) -> bool:
        roster = self.surroundings.roster
        agent = roster.behaviour(agent_type(address)) if roster is not None else None
        return agent is not None and message_type in agent.message_types


def _call(state: RunState, about: CallNote) -> Any:
    """The call a message is about, if the run still waits for it."""
    call = state.calls.get(about.key)
    return call if call is not None and call.serial == about.serial else None


def _check_own(turn: Turn) -> None:
    if turn.message.source != turn.agent:
        raise NotAllowedNow(f"{turn.message.type!r} is what a run sends itself, not for {turn.message.source!r}.")


def _pass_on(turn: Turn, state: RunState, message_type: str) -> None:
    """Runs that this one waits for stand still with it."""
    for call in state.calls.values():
        if call.kind in ("workflow", "part"):
            turn.send(call.to, message_type)
