"""The agent behind a task: it has a workflow run do the work, follows it, and reports.

There is one for each task, `task:<id>`, and it is the only writer of the task.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, Turn, on, on_reply
from aos.kernel.errors import DeadlineExceeded, NotAllowedNow
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.callback_agent import CALLBACK_SEND, CALLBACK_TYPE, Callback
from aos.workflows.messages import (
    CANCEL as CANCEL_RUN,
)
from aos.workflows.messages import (
    PAUSE as PAUSE_RUN,
)
from aos.workflows.messages import (
    PROGRESS,
    RUN_TYPE,
    START,
    Parent,
    Progress,
    RunEnded,
    StartRun,
)
from aos.workflows.messages import (
    RESUME as RESUME_RUN,
)
from aos.workflows.scheduling.admission import ADMIT, DONE, WITHDRAW, Admission, Opening, lane_address
from aos.workflows.status import RunStatus, StepStatus
from aos.workflows.tasks.quality import quality_of, summary_of
from aos.workflows.tasks.task_state import RESULT, Submission, TaskState, TaskStatus

TYPE = "task"
SUBMITTED = "task.submitted"
EXECUTE = "task.execute"
CANCEL = "task.cancel"
PAUSE = "task.pause"
RESUME = "task.resume"
RERUN = "task.rerun"
BEGIN = "task.begin"
ENDED = "task.ended"
TASKS_LANE = "tasks"
"""The lane in which tasks wait for their turn."""
LANE = lane_address(TASKS_LANE)


class Reason(BaseModel):
    reason: str = "on request"


class TaskAgent(Agent[TaskState]):
    """Sees one task through."""

    type = TYPE
    name = "Task"
    purpose = "See one piece of work through and report its result"
    listed = False

    @on(SUBMITTED)
    async def submitted(self, turn: Turn, state: TaskState, submission: Submission) -> None:
        if state.request is not None:
            raise NotAllowedNow(f"Task {turn.agent!r} was submitted already. Use another id.")
        state.request, state.execution = submission.request, submission.execution
        state.created_at = turn.message.time
        state.note(turn.now, f"{submission.request.title}: {submission.execution.workflow}")
        if submission.request.deadline is not None:
            turn.remind("deadline", "task.deadline", at=submission.request.deadline)
        if submission.request.auto_execute:
            self._queue(turn, state)

    @on(EXECUTE)
    async def execute(self, turn: Turn, state: TaskState, _: Any) -> None:
        if state.request is not None and state.status is TaskStatus.PENDING and not state.is_queued:
            self._queue(turn, state)

    @on(BEGIN)
    async def begin(self, turn: Turn, state: TaskState, _: Any) -> None:
        """Its turn has come."""
        if state.status is TaskStatus.PENDING and state.is_queued:
            self._begin(turn, state)
        else:
            turn.send(LANE, DONE, {})

    @on(RERUN)
    async def rerun(self, turn: Turn, state: TaskState, why: Reason) -> None:
        """Do a task again that has ended, by the same version of its workflow."""
        if state.request is None or not state.status.is_final:
            return
        state.note(turn.now, f"done again: {why.reason}")
        state.result = state.error = state.finished_at = None
        state.progress, state.parts, state.status = 0.0, {}, TaskStatus.PENDING
        self._queue(turn, state)

    @on(PAUSE_RUN)
    async def suspend(self, turn: Turn, state: TaskState, _: Any) -> None:
        """The lane needs the place for more urgent work."""
        if state.is_queued and state.run is not None and not state.status.is_final:
            state.is_suspended = True
            self._hold(turn, state, "more urgent work has the place")

    @on(RESUME_RUN)
    async def take_up(self, turn: Turn, state: TaskState, _: Any) -> None:
        """The lane has a place again. A task that people paused stays so."""
        if state.is_suspended:
            state.is_suspended = False
            self._go_on(turn, state, "there is a place again")

    @on(PAUSE)
    async def pause(self, turn: Turn, state: TaskState, why: Reason) -> None:
        if state.request is None or state.status.is_final or state.is_paused:
            return
        state.is_paused = True
        if state.status is TaskStatus.PENDING and state.is_queued:
            state.is_queued = False
            turn.send(LANE, WITHDRAW, {"work": turn.agent})
        self._hold(turn, state, why.reason)

    @on(RESUME)
    async def resume(self, turn: Turn, state: TaskState, why: Reason) -> None:
        if state.is_paused:
            state.is_paused = False
            self._go_on(turn, state, why.reason)

    @on(CANCEL)
    async def cancel(self, turn: Turn, state: TaskState, why: Reason) -> None:
        if state.request is None or state.status.is_final:
            return
        state.note(turn.now, why.reason)
        self._stop_run(turn, state, why.reason)
        self._end(turn, state, TaskStatus.CANCELLED)

    @on("task.deadline")
    async def deadline_passed(self, turn: Turn, state: TaskState, _: Any) -> None:
        if not state.status.is_final:
            error = DeadlineExceeded("The task was not done by its deadline.")
            self._stop_run(turn, state, error.message)
            self._fail(turn, state, error.to_json())

    @on(PROGRESS)
    async def went_on(self, turn: Turn, state: TaskState, news: Progress) -> None:
        if state.status.is_final or turn.message.source != state.run:
            return
        state.progress = max(state.progress, news.progress)
        part = state.part(news.step, turn.now)
        is_new = part.status is not news.status or part.agent is None
        part.title, part.agent, part.status = news.title or news.step, news.agent, news.status
        part.cost_usd, part.error = news.cost, news.error
        if news.status.is_final:
            part.finished_at = turn.now
            part.summary, part.quality = summary_of(news.result), quality_of(news.result)
            if news.result is not None:
                turn.rows.put(f"{RESULT}{state.runs:04d}:{news.step}", {"agent": news.agent, "result": news.result})
        if is_new:
            state.note(turn.now, _told(news), news.agent)
            turn.record(
                "task.step", step=news.step, status=news.status.value, agent=news.agent, progress=state.progress
            )

    @on_reply(START)
    async def ended(self, turn: Turn, state: TaskState, answer: dict[str, Any]) -> None:
        request = turn.request
        if request is None or request.to != state.run or state.status.is_final:
            return
        if turn.message.type == ERROR_TYPE:
            self._fail(turn, state, answer)
            return
        run = RunEnded.model_validate(answer)
        state.cost_usd, state.tokens = round(state.cost_usd + run.cost_usd, 6), state.tokens + run.tokens
        if run.status is RunStatus.COMPLETED:
            state.result = run.output if isinstance(run.output, dict) else {"output": run.output}
            state.progress = 1.0
            self._end(turn, state, TaskStatus.COMPLETED)
        elif run.status is RunStatus.CANCELLED:
            state.error = run.error
            self._end(turn, state, TaskStatus.CANCELLED)
        else:
            self._fail(turn, state, run.error or {"code": "run_failed", "message": "The run failed."})

    def _hold(self, turn: Turn, state: TaskState, reason: str) -> None:
        """Begin nothing new."""
        if state.status is TaskStatus.RUNNING and state.run is not None:
            turn.send(state.run, PAUSE_RUN)
        state.status = TaskStatus.PAUSED
        state.note(turn.now, f"paused: {reason}")

    def _go_on(self, turn: Turn, state: TaskState, reason: str) -> None:
        """Go on, unless something else holds it still."""
        if state.status is not TaskStatus.PAUSED or state.is_paused or state.is_suspended:
            return
        state.note(turn.now, f"resumed: {reason}")
        if state.is_queued and state.run is not None:
            state.status = TaskStatus.RUNNING
            turn.send(state.run, RESUME_RUN)
            return
        state.status = TaskStatus.PENDING
        if state.is_wanted:
            self._queue(turn, state)

    def _queue(self, turn: Turn, state: TaskState) -> None:
        """Ask for a place: when much is to be done, the most urgent tasks go first."""
        request = state.request
        assert request is not None  # noqa: S101  # nothing is queued before it is submitted
        state.is_queued = state.is_wanted = True
        admission = Admission(
            work=turn.agent,
            message=Opening(type=BEGIN),
            priority=request.priority,
            deadline=request.deadline,
            suspendable=True,
            owner=request.owner,
        )
        turn.send(LANE, ADMIT, admission.model_dump(mode="json"), priority=request.priority)

    def _begin(self, turn: Turn, state: TaskState) -> None:
        request, execution = state.request, state.execution
        assert request is not None  # noqa: S101  # nothing begins before it is submitted
        assert execution is not None  # noqa: S101
        state.runs += 1
        key = turn.agent.partition(":")[2]
        state.run = f"{RUN_TYPE}:{key}" if state.runs == 1 else f"{RUN_TYPE}:{key}.r{state.runs}"
        state.status, state.started_at = TaskStatus.RUNNING, turn.now
        start = StartRun(
            definition=execution.definition,
            name=execution.workflow,
            inputs=execution.inputs,
            owner=request.owner,
            priority=request.priority,
            deadline=request.deadline,
            budget=request.budget,
            parent=Parent(address=turn.agent),
            labels=sorted(turn.labels),
            options={"task_id": key},
        )
        turn.ask(
            state.run,
            START,
            start.model_dump(mode="json"),
            priority=request.priority,
            conversation_id=turn.agent,
        )

    def _stop_run(self, turn: Turn, state: TaskState, reason: str) -> None:
        if state.run is not None:
            turn.send(state.run, CANCEL_RUN, {"reason": reason})

    def _fail(self, turn: Turn, state: TaskState, error: dict[str, Any]) -> None:
        state.error = error
        state.note(turn.now, str(error.get("message", "failed")), error.get("agent"))
        self._end(turn, state, TaskStatus.FAILED)

    def _end(self, turn: Turn, state: TaskState, status: TaskStatus) -> None:
        if state.is_queued:
            begun = state.status is not TaskStatus.PENDING
            turn.send(LANE, DONE if begun else WITHDRAW, {} if begun else {"work": turn.agent})
        state.is_wanted = state.is_queued = state.is_paused = state.is_suspended = False
        state.status, state.finished_at = status, turn.now
        for part in state.parts.values():
            if not part.status.is_final:
                part.status, part.finished_at = StepStatus.CANCELLED, turn.now
        state.note(turn.now, status.value)
        turn.forget("deadline")
        seconds = (turn.now - state.created_at).total_seconds() if state.created_at else 0.0
        turn.record(ENDED, status=status.value, seconds=seconds, cost_usd=state.cost_usd)
        if state.request is not None and state.request.callback_url is not None:
            self._call_back(turn, state, state.request.callback_url)

    def _call_back(self, turn: Turn, state: TaskState, url: str) -> None:
        key = turn.agent.partition(":")[2]
        told = {
            "id": key,
            "reference": state.request.reference if state.request is not None else None,
            "status": state.status.value,
            "result": state.result,
            "error": state.error,
            "cost_usd": state.cost_usd,
        }
        callback = Callback(url=url, event=ENDED, data=told)
        turn.send(f"{CALLBACK_TYPE}:{key}", CALLBACK_SEND, callback.model_dump(mode="json"))


def _told(news: Progress) -> str:
    """What happened, in words."""
    what = news.title or news.step
    if news.error is not None:
        return f"{what}: {news.error.get('message', news.status.value)}"
    if news.status is StepStatus.COMPLETED:
        return f"{what}: {summary_of(news.result) or 'done'}"
    if news.status is StepStatus.RUNNING and news.agent:
        return f"asked {news.agent}"
    return f"{what}: {news.status.value}"
