"""What a caller orders: a run of a workflow, started once however often the same order comes."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aos.kernel.errors import NotFound
from aos.kernel.ports import Clock, Ids, TableStore
from aos.workflows.idempotency_keys import IdempotencyKeys
from aos.workflows.newest_list import new_id
from aos.workflows.status import RunStatus
from aos.workflows.workflows import Workflows

TABLE = "runkeys"


class RunOrder(BaseModel):
    """A run that is wanted.

    Attributes:
        inputs: What the workflow is given.
        owner: For whom.
        priority: 1 (least) to 10 (most).
        deadline: When it has failed if it is not done; with a zone.
        budget: US dollars it may spend.
        labels: What is to be known of the inputs, such as `untrusted:web`.
        concurrency: Fewer steps at a time than the workflow allows.
        metadata: Shown with the run.
    """

    model_config = ConfigDict(extra="forbid")

    inputs: dict[str, Any] = Field(default_factory=dict)
    owner: str | None = Field(default=None, min_length=1, max_length=200)
    priority: int = Field(default=5, ge=1, le=10)
    deadline: datetime | None = None
    budget: float | None = Field(default=None, gt=0)
    labels: list[str] = Field(default_factory=list, max_length=20)
    concurrency: int | None = Field(default=None, ge=1, le=1_000)
    metadata: dict[str, Any] = Field(default_factory=dict)


class RunOrders:
    """Starts what is ordered.

    Attributes:
        keys: The idempotency keys of orders.
    """

    def __init__(self, workflows: Workflows, tables: TableStore, clock: Clock, ids: Ids) -> None:
        self.keys = IdempotencyKeys(tables, TABLE, clock)
        self._workflows = workflows
        self._clock = clock
        self._ids = ids

    async def start(
        self, workflow: str, order: RunOrder, *, idempotency_key: str | None = None, traceparent: str | None = None
    ) -> tuple[str, bool]:
        """Start a run.

        Args:
            workflow: Its name, or `name@version`.
            order: What is wanted.
            idempotency_key: The same key gives the same run for 24 hours; without one every order is a run.
            traceparent: W3C trace context of the caller.

        Returns:
            The run's id, and whether it is a new one.

        Raises:
            NotFound: there is no such workflow.
            InvalidInput: an input is missing or wrong, or the deadline has passed.
            AlreadyExists: the key was used for another order.
        """
        fresh = run_id = new_id(self._clock.now(), self._ids)
        if idempotency_key is not None:
            run_id = await self.keys.claim(f"run:{idempotency_key}", fresh, _fingerprint(workflow, order))
            if run_id != fresh and await self._has_begun(run_id):
                return run_id, False
        options = {"metadata": order.metadata} if order.metadata else {}
        # Starting a run that has not begun again is harmless, and finishes what a crash may have left undone.
        await self._workflows.start(
            workflow,
            order.inputs,
            run_id=run_id,
            owner=order.owner,
            priority=order.priority,
            deadline=order.deadline,
            budget=order.budget,
            labels=tuple(order.labels),
            options={**options, **({"concurrency": order.concurrency} if order.concurrency else {})},
            traceparent=traceparent,
        )
        return run_id, run_id == fresh

    async def _has_begun(self, run_id: str) -> bool:
        try:
            found = await self._workflows.progress(run_id)
        except NotFound:
            return False
        return bool(found["status"] != RunStatus.PENDING.value)


def _fingerprint(workflow: str, order: RunOrder) -> str:
    content = {"workflow": workflow, **order.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
