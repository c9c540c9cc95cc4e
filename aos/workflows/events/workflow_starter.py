"""Starts runs of workflows for rules and patterns: in the turn that an event leads to, so that it is done once."""

from __future__ import annotations

from typing import Any

from aos.agents import Turn
from aos.workflows.definition.inputs import checked_inputs
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import RUN_TYPE, START, StartRun


class WorkflowStarter:
    """Starts workflows of a store."""

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store

    async def __call__(self, turn: Turn, name: str, inputs: dict[str, Any]) -> None:
        """Start a run of a workflow, or of `name@version`, whose owner is the agent whose turn it is.

        Raises:
            NotFound: there is no such workflow.
            InvalidInput: an input is missing or wrong.
        """
        workflow = await self._store.find(name)
        request = StartRun(
            definition=workflow.digest,
            name=workflow.name,
            inputs=checked_inputs(workflow, inputs),
            owner=turn.agent,
        )
        step = f"start {name}"
        key = turn.idempotency_key(f"{step} {turn.occurrence(step)}")
        address = f"{RUN_TYPE}:{turn.now:%Y%m%d-%H%M%S}-{key[:8]}"
        turn.send(address, START, request.model_dump(mode="json"), conversation_id=address)
