"""Brings together what the check of a workflow needs to know of the workflows it runs."""

from __future__ import annotations

from collections.abc import Collection

from aos.kernel.errors import InvalidInput, NotFound
from aos.workflows.definition.known import KnownNames, workflow_reference
from aos.workflows.definition.usage import workflows_used
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import WorkflowStore

_MOST = 200
_NAMES = 1_000


async def known_for(
    workflow: Workflow,
    store: WorkflowStore,
    *,
    agents: Collection[str] | None = None,
    tools: Collection[str] | None = None,
    teams: Collection[str] | None = None,
) -> KnownNames:
    """What `check` is to know for a workflow: the names given, and all workflows it runs, directly or not.

    Raises:
        StoreUnavailable: the store is out of reach.
        InvalidInput: it runs more than 200 others.
    """
    found: dict[tuple[str, str | None], Workflow] = {}
    missing = False
    waiting = workflows_used(workflow)
    while waiting:
        name, version = workflow_reference(waiting.pop())
        if name == workflow.name or (name, version) in found:
            continue
        if len(found) >= _MOST:
            raise InvalidInput(f"Workflow {workflow.name!r} runs more than {_MOST} others. Split it.")
        try:
            other = await store.find(name if version is None else f"{name}@{version}")
        except (NotFound, InvalidInput):
            missing = True
            continue
        found[name, version] = other
        waiting += workflows_used(other)
    names = {name for name, _ in found} | store.packaged.keys()
    if missing:
        listed, _ = await store.names(limit=_NAMES)
        names |= {str(row["name"]) for row in listed}
    return KnownNames(agents, tools, teams, names, lambda name, version: found.get((name, version)))
