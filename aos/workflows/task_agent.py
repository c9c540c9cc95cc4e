"""The agent behind a task: it asks the examiners side by side, has the decider weigh their answers, and reports.

There is one for each task, `task:<id>`, and it is the only writer of the task.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, TaskType, Turn, on, on_reply
from aos.kernel.errors import AosError, DeadlineExceeded, NotAllowedNow
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.task_state import Participant, TaskRequest, TaskState, TaskStatus

TYPE = "task"
SUBMITTED = "task.submitted"
CANCEL = "task.cancel"
EXAMINE = "task.examine"
DECIDE = "task.decide"
_EXAMINED = 0.8
"""Progress when all examiners have answered; the decision is the rest."""


class Work(BaseModel):
    """What an agent is asked to do for a task.

    Attributes:
        task_id: The task's id.
        target, parameters: From the request.
        results: What the examiners answered, by agent; only the decider gets them.
    """

    task_id: str
    target: str
    parameters: dict[str, Any]
    results: dict[str, Any] = {}


class CancelRequest(BaseModel):
    reason: str = "cancelled on request"


class TaskAgent(Agent[TaskState]):
    """Sees one task through."""

    type = TYPE
    name = "Task"
    purpose = "See one piece of work through and report its result"
    listed = False

    def __init__(self, task_type: Callable[[str], TaskType]) -> None:
        super().__init__()
        self._task_type = task_type

    @on(SUBMITTED)
    async def start(self, turn: Turn, state: TaskState, request: TaskRequest) -> None:
        if state.request is not None:
            raise NotAllowedNow(f"Task {turn.agent!r} was submitted already. Use another id.")
        state.request = request
        state.created_at, state.started_at = turn.message.time, turn.now
        state.status = TaskStatus.RUNNING
        try:
            task_type = self._task_type(request.task_type)
        except AosError as error:
            self._fail(turn, state, error.to_json())
            return
        state.note(turn.now, f"{task_type.title} of {request.target}")
        if request.deadline is not None:
            turn.remind("deadline", "task.deadline", at=request.deadline)
        for agent in task_type.examiners:
            self._ask(turn, state, task_type, agent, EXAMINE, task_type.request, results={})

    @on_reply("*")
    async def answered(self, turn: Turn, state: TaskState, answer: dict[str, Any]) -> None:
        if state.request is None or turn.request is None or state.status.is_final:
            return
        agent = turn.request.to
        part = state.participants[agent]
        part.finished_at = turn.now
        if turn.message.type == ERROR_TYPE:
            part.status, part.error = TaskStatus.FAILED, answer
            self._fail(turn, state, {**answer, "agent": agent})
            return
        part.status, part.result = TaskStatus.COMPLETED, answer
        state.note(turn.now, str(answer.get("summary", "done")), agent)
        task_type = self._task_type(state.request.task_type)
        if turn.request.note == DECIDE:
            self._complete(turn, state, answer)
            return
        results = {name: state.participants[name].result for name in task_type.examiners}
        answered = sum(result is not None for result in results.values())
        state.progress = round(_EXAMINED * answered / len(results), 3)
        if answered == len(results):
            self._ask(turn, state, task_type, task_type.decider, DECIDE, task_type.verdict, results=results)

    @on("task.deadline")
    async def deadline_passed(self, turn: Turn, state: TaskState, _: Any) -> None:
        if not state.status.is_final:
            self._fail(turn, state, DeadlineExceeded("The task was not done by its deadline.").to_json())

    @on(CANCEL)
    async def cancel(self, turn: Turn, state: TaskState, request: CancelRequest) -> None:
        if state.request is None or state.status.is_final:
            return
        state.note(turn.now, request.reason)
        self._end(turn, state, TaskStatus.CANCELLED)

    def _ask(
        self,
        turn: Turn,
        state: TaskState,
        task_type: TaskType,
        agent: str,
        stage: str,
        message_type: str,
        *,
        results: dict[str, Any],
    ) -> None:
        request = state.request
        assert request is not None  # noqa: S101  # a task asks nobody before it has a request
        work = Work(
            task_id=turn.agent.partition(":")[2],
            target=request.target,
            parameters=request.parameters,
            results=results,
        )
        turn.ask(
            agent,
            message_type,
            work.model_dump(mode="json"),
            note=stage,
            timeout=task_type.patience,
            priority=request.priority,
            conversation_id=turn.agent,
        )
        state.participants[agent] = Participant(agent=agent, started_at=turn.now)
        state.note(turn.now, f"asked {agent}", agent)

    def _complete(self, turn: Turn, state: TaskState, result: dict[str, Any]) -> None:
        state.result, state.progress = result, 1.0
        self._end(turn, state, TaskStatus.COMPLETED)

    def _fail(self, turn: Turn, state: TaskState, error: dict[str, Any]) -> None:
        state.error = error
        state.note(turn.now, str(error.get("message", "failed")), error.get("agent"))
        self._end(turn, state, TaskStatus.FAILED)

    def _end(self, turn: Turn, state: TaskState, status: TaskStatus) -> None:
        state.status, state.finished_at = status, turn.now
        for part in state.participants.values():
            if not part.status.is_final:
                part.status, part.finished_at = TaskStatus.CANCELLED, turn.now
        state.note(turn.now, status.value)
        turn.forget("deadline")
        turn.record("task.ended", status=status.value, seconds=_seconds(state.created_at, turn.now))


def _seconds(start: datetime | None, end: datetime) -> float:
    return (end - start).total_seconds() if start else 0.0
