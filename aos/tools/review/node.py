"""The three examinations as nodes, so that anything that speaks the node contract can ask for one."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from aos.kernel.errors import AosError, InvalidInput
from aos.tools.node import NodeResult, NodeTask
from aos.tools.review.examine import examine
from aos.tools.review.finding import DOMAINS, Domain
from aos.tools.review.source_tree import SourceTree


class ExaminationRequest(BaseModel):
    """Payload of an examination task. `directory` is the root of the tree, on this machine."""

    directory: Path


class ExaminationNode:
    """Examines one domain of the source tree its task names.

    Task type: `review.<domain>`. Result: an `Examination`, as JSON. A failure is a result with `success` false, the
    message in `error` and the stable code in `metadata["code"]`.
    """

    def __init__(self, domain: Domain) -> None:
        if domain not in DOMAINS:
            raise InvalidInput(f"There is no domain {domain!r}. There are: {', '.join(DOMAINS)}.")
        self.domain = domain
        self.task_type = f"review.{domain}"
        self._stats: Counter[str] = Counter()
        self._seconds = 0.0

    async def initialize(self) -> None:
        """Nothing to prepare: tools are started for each task."""

    async def handle(self, task: NodeTask) -> NodeResult:
        """Examine the tree. Latency is in seconds."""
        started = time.perf_counter()
        error: AosError | None = None
        result: dict[str, Any] = {}
        try:
            tree = await SourceTree.open(self._request(task).directory)
            result = (await examine(self.domain, tree)).model_dump(mode="json")
        except AosError as raised:
            error = raised
        latency = time.perf_counter() - started
        self._seconds += latency
        self._stats["failed" if error else "succeeded"] += 1
        return NodeResult(
            success=error is None,
            result=result,
            latency=latency,
            source=self.task_type,
            error=error.message if error else None,
            metadata=(task.metadata or {}) | ({"code": error.code} if error else {}),
        )

    def get_stats(self) -> dict[str, Any]:
        """Tasks handled since this node was made, and the seconds they took."""
        return {
            "task_type": self.task_type,
            "handled": self._stats["succeeded"] + self._stats["failed"],
            "succeeded": self._stats["succeeded"],
            "failed": self._stats["failed"],
            "seconds": round(self._seconds, 3),
        }

    def _request(self, task: NodeTask) -> ExaminationRequest:
        if task.task_type != self.task_type:
            raise InvalidInput(f"This node handles {self.task_type!r}, not {task.task_type!r}.")
        try:
            return ExaminationRequest.model_validate(task.payload)
        except ValidationError as error:
            raise InvalidInput("The payload needs `directory`: the path of the source tree.") from error
