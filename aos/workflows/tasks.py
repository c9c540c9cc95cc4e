"""What business apps do with tasks: submit, look, cancel. Everything here posts to mailboxes or reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aos.agents import AgentRegistry
from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.workflows.task_agent import CANCEL, SUBMITTED, TYPE
from aos.workflows.task_detail import detail
from aos.workflows.task_index import TaskIndex
from aos.workflows.task_state import TaskRequest, TaskState

KEEP_KEYS = timedelta(hours=24)
"""How long an idempotency key given by the caller is remembered."""
REPEAT_WINDOW = timedelta(seconds=60)
"""Without a key, the same request within this time is taken for a repetition."""


class Tasks:
    """The tasks of the system."""

    def __init__(self, kernel: Kernel, index: TaskIndex, registry: AgentRegistry, clock: Clock, ids: Ids) -> None:
        self._kernel = kernel
        self._index = index
        self._registry = registry
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
            AlreadyExists: the key was used for another request.
        """
        self._registry.task_type(request.task_type)
        now = self._clock.now()
        if request.deadline is not None and (request.deadline.tzinfo is None or request.deadline <= now):
            raise InvalidInput("`deadline` must be a time to come, with a zone.")
        fingerprint = _fingerprint(request)
        task_id = f"{now:%Y%m%d-%H%M%S}-{self._ids.new()[:8]}"
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
                data=request.model_dump(mode="json"),
                conversation_id=f"{TYPE}:{bound}",
                priority=request.priority,
                traceparent=traceparent,
            )
        )
        return bound, bound == task_id

    async def execute(self, name: str, inputs: Mapping[str, Any]) -> str:
        """Submit a task of the kind `name`, `inputs` being further fields of `TaskRequest`; returns its id."""
        task_type = self._registry.task_type(name)
        request = TaskRequest.model_validate({"title": task_type.title, **inputs, "task_type": name})
        return (await self.submit(request))[0]

    async def detail(self, task_id: str) -> dict[str, Any]:
        """A task with everything known of it. Raises `NotFound`."""
        head = await self._kernel.heads.read(f"{TYPE}:{task_id}")
        if head is None:
            return {**await self._announced(task_id), "version": 0, "participants": [], "events": []}
        return detail(task_id, head.version, TaskState.model_validate_json(head.state), self._clock.now())

    async def cancel(self, task_id: str, reason: str) -> None:
        """Ask a task to stop. Raises `NotFound`."""
        if await self._kernel.heads.read(f"{TYPE}:{task_id}") is None:
            await self._announced(task_id)
        now = self._clock.now()
        await self._kernel.mailbox.post(
            Message(
                id=f"cancel-{task_id}",
                source="/api/tasks",
                type=CANCEL,
                time=now,
                to=f"{TYPE}:{task_id}",
                data={"reason": reason},
                conversation_id=f"{TYPE}:{task_id}",
            )
        )

    async def _announced(self, task_id: str) -> dict[str, Any]:
        try:
            shown = await self._index.get(task_id)
        except ValueError:
            shown = None
        if shown is None:
            raise NotFound(f"There is no task {task_id!r}. List the tasks to see which there are.")
        return shown


def _fingerprint(request: TaskRequest) -> str:
    canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
