"""What business apps do with tasks: submit, look, steer. Everything here posts to mailboxes or reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aos.kernel.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.tools.webhook import Webhooks
from aos.workflows.newest_list import new_id
from aos.workflows.tasks.execution_choice import ExecutionChoice
from aos.workflows.tasks.task_agent import CANCEL, EXECUTE, PAUSE, RERUN, RESUME, SUBMITTED, TYPE
from aos.workflows.tasks.task_detail import detail
from aos.workflows.tasks.task_index import TaskIndex
from aos.workflows.tasks.task_request import TaskRequest
from aos.workflows.tasks.task_state import MAX_PARTS, RESULT, Submission, TaskState, TaskStatus

KEEP_KEYS = timedelta(hours=24)
"""How long an idempotency key given by the caller is remembered."""
REPEAT_WINDOW = timedelta(seconds=60)
"""Without a key, the same request within this time is taken for a repetition."""


class Tasks:
    """The tasks of the system."""

    def __init__(
        self, kernel: Kernel, index: TaskIndex, choice: ExecutionChoice, webhooks: Webhooks, clock: Clock, ids: Ids
    ) -> None:
        self._kernel = kernel
        self._index = index
        self._choice = choice
        self._webhooks = webhooks
        self._clock = clock
        self._ids = ids

    async def submit(
        self, request: TaskRequest, *, idempotency_key: str | None = None, traceparent: str | None = None
    ) -> tuple[str, bool]:
        """Hand a task to its agent.

        Args:
            request: What is wanted.
            idempotency_key: The same key gives the same task for 24 hours. Without one, an equal request within
                60 seconds is taken for a repetition.
            traceparent: W3C trace context of the caller.

        Returns:
            The task's id, and whether it is a new one.

        Raises:
            NotFound: there is no such kind of task.
            InvalidInput: no agent fits, the parameters are not right, or a moment or an address is none.
            PermissionDenied, SettingMissing: its end cannot be told at the callback's address.
            AlreadyExists: the key was used for another request.
        """
        now = self._clock.now()
        if request.deadline is not None and (request.deadline.tzinfo is None or request.deadline <= now):
            raise InvalidInput("`deadline` must be a time to come, with a zone.")
        if request.callback_url is not None:
            self._webhooks.check(request.callback_url)
        submission = Submission(request=request, execution=await self._choice.decide(request))
        fingerprint = _fingerprint(request)
        task_id = new_id(now, self._ids)
        key, keep = (f"key:{idempotency_key}", KEEP_KEYS) if idempotency_key else (fingerprint, REPEAT_WINDOW)
        bound, earlier = await self._index.claim(key, task_id, fingerprint, keep)
        if earlier != fingerprint:
            raise AlreadyExists(
                f"The idempotency key was used for another request, task {bound!r}. Use a new key for a new task.",
                code="idempotency_key_reused",
            )
        if bound != task_id:
            shown = await self._index.get(bound)
            if shown is not None and shown["status"] != "pending":
                return bound, False
        # Announcing and posting again is harmless, and finishes what a crash may have left undone.
        await self._index.announce(bound, request)
        await self._kernel.mailbox.post(
            Message(
                id=f"submit-{bound}",
                source="/api/tasks",
                type=SUBMITTED,
                time=now,
                to=f"{TYPE}:{bound}",
                data=submission.model_dump(mode="json"),
                conversation_id=f"{TYPE}:{bound}",
                priority=request.priority,
                traceparent=traceparent,
            )
        )
        return bound, bound == task_id

    async def execute(self, name: str, inputs: Mapping[str, Any]) -> str:
        """Submit a task of the kind `name`, `inputs` being further fields of `TaskRequest`; returns its id."""
        request = TaskRequest.model_validate({"title": name, **inputs, "task_type": name})
        return (await self.submit(request))[0]

    async def detail(self, task_id: str) -> dict[str, Any]:
        """A task with everything known of it. Raises `NotFound`."""
        address = f"{TYPE}:{task_id}"
        head = await self._kernel.heads.read(address)
        if head is None:
            return {**await self._announced(task_id), "version": 0, "participants": [], "events": []}
        state = TaskState.model_validate_json(head.state)
        prefix = f"{RESULT}{state.runs:04d}:"
        rows = await self._kernel.rows.page(address, prefix, limit=MAX_PARTS) if state.parts else []
        results = {key.removeprefix(prefix): value for key, value in rows}
        return detail(task_id, head.version, state, results, self._clock.now())

    async def begin(self, task_id: str) -> None:
        """Have a task executed that waits for it. Raises `NotFound`."""
        await self._tell(task_id, EXECUTE, None, f"execute-{task_id}")

    async def cancel(self, task_id: str, reason: str) -> None:
        """Ask a task to stop, and all that works on it. Raises `NotFound`."""
        await self._tell(task_id, CANCEL, {"reason": reason}, f"cancel-{task_id}")

    async def pause(self, task_id: str, reason: str) -> None:
        """Ask a task to begin nothing new. Raises `NotFound`."""
        await self._tell(task_id, PAUSE, {"reason": reason})

    async def resume(self, task_id: str, reason: str) -> None:
        """Ask a task to go on. Raises `NotFound`."""
        await self._tell(task_id, RESUME, {"reason": reason})

    async def rerun(self, task_id: str, reason: str) -> None:
        """Have a task done again that has ended, by the same version of its workflow.

        Raises:
            NotFound: there is no such task.
            NotAllowedNow: it has not ended.
        """
        shown = await self.detail(task_id)
        if not TaskStatus(shown["status"]).is_final:
            raise NotAllowedNow(f"Task {task_id!r} is {shown['status']}. Wait for its end, or cancel it first.")
        await self._tell(task_id, RERUN, {"reason": reason}, f"rerun-{task_id}-{shown['runs']}")

    async def _tell(self, task_id: str, type_: str, data: Any, message_id: str | None = None) -> None:
        if await self._kernel.heads.read(f"{TYPE}:{task_id}") is None:
            await self._announced(task_id)
        message = Message(
            id=message_id or self._ids.new(),
            source="/api/tasks",
            type=type_,
            time=self._clock.now(),
            to=f"{TYPE}:{task_id}",
            data=data,
            conversation_id=f"{TYPE}:{task_id}",
        )
        await self._kernel.mailbox.post(message)

    async def _announced(self, task_id: str) -> dict[str, Any]:
        shown = await self._index.get(task_id)
        if shown is None:
            raise NotFound(f"There is no task {task_id!r}. List the tasks to see which there are.")
        return shown


def _fingerprint(request: TaskRequest) -> str:
    canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
