"""Routes tasks to nodes by their type, and tries again what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.kernel.errors import InfrastructureError
from aos.tools.node import Node, NodeResult, NodeTask

NODE_NOT_FOUND = "NODE_NOT_FOUND"
RETRY_EXCEEDED = "RETRY_EXCEEDED"


class ControlNode:
    """A router over other nodes.

    Args:
        node_registry: Nodes by the type of the tasks they do.
        max_retries: Further tries after a first that failed.
    """

    def __init__(self, node_registry: Mapping[str, Node], max_retries: int = 1) -> None:
        self._nodes = dict(node_registry)
        self._tries = 1 + max(0, max_retries)
        self._counts: dict[str, dict[str, int]] = {}

    async def initialize(self) -> None:
        """Prepare all nodes."""
        for node in self._nodes.values():
            await node.initialize()

    async def handle(self, task: NodeTask) -> NodeResult:
        """Have the node of the task's type do it.

        Returns:
            The node's result; `NODE_NOT_FOUND` where there is none of this type, `RETRY_EXCEEDED` where every try
            failed, with the last reason under `last_error` in the metadata.
        """
        node = self._nodes.get(task.task_type)
        if node is None:
            return NodeResult(success=False, result=f"Unknown node: {task.task_type}", error=NODE_NOT_FOUND)
        counts = self._counts.setdefault(task.task_type, {"attempts": 0, "successes": 0, "failures": 0})
        last = ""
        for _ in range(self._tries):
            counts["attempts"] += 1
            result = await self._attempt(node, task)
            if result.success:
                counts["successes"] += 1
                return result
            counts["failures"] += 1
            last = result.error or str(result.result)
        return NodeResult(
            success=False,
            result=f"{task.task_type} failed {self._tries} times",
            source=task.task_type,
            error=RETRY_EXCEEDED,
            metadata={"last_error": last, "attempts": self._tries},
        )

    def get_stats(self) -> dict[str, Any]:
        """Attempts, successes and failures of each type of task so far."""
        return {kind: dict(counts) for kind, counts in self._counts.items()}

    async def _attempt(self, node: Node, task: NodeTask) -> NodeResult:
        try:
            return await node.handle(task)
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a node raises is a try that failed
            return NodeResult(success=False, result=str(error), error=f"{type(error).__name__}: {error}")
