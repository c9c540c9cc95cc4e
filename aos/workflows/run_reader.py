"""What is to be seen of runs: their list, their status, their steps and items, their result. All of it only reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.kernel.address import is_address
from aos.kernel.errors import NotAllowedNow, NotFound
from aos.kernel.kernel import Kernel
from aos.workflows.definition.graph import Graph
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import RUN_TYPE
from aos.workflows.run import records
from aos.workflows.run.parts import OPTION, inner_graph
from aos.workflows.run.run import part_of
from aos.workflows.run.run_document import (
    progress_document,
    refuse_unfinished,
    step_document,
    summary,
    timeline_record,
)
from aos.workflows.run.run_state import RunState
from aos.workflows.run_index import RunIndex


class RunReader:
    """Reads runs.

    Attributes:
        store: Where the workflows are that can be run.
    """

    def __init__(self, kernel: Kernel, store: WorkflowStore, index: RunIndex) -> None:
        self.store = store
        self._kernel = kernel
        self._index = index

    async def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        owner: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Runs, newest first, and a cursor where there are more."""
        return await self._index.page(status=status, workflow=workflow, owner=owner, limit=limit, cursor=cursor)

    async def status(self, run_id: str) -> dict[str, Any]:
        """A run with all its steps, by id. Raises `NotFound`."""
        state = await self._state(run_id)
        if state is None:
            return await self._announced(run_id)
        graph = await self._graph(run_id, state)
        rows = await self._step_rows(run_id, None, state.steps)
        steps = [step_document(graph, state, place, rows.get(place)) for place in range(state.steps)]
        counts = progress_document(state) if state.steps else {}
        for step in steps:
            step.pop("output", None)
        return {**summary(run_id, state), **counts, "steps": {step["id"]: step for step in steps}}

    async def progress(self, run_id: str) -> dict[str, Any]:
        """How many steps of a run there are of each kind; one storage operation. Raises `NotFound`."""
        state = await self._state(run_id)
        if state is None:
            await self._announced(run_id)
            state = RunState()
        return {**progress_document(state), "status": state.status.value}

    async def graph(self, run_id: str) -> Graph:
        """What a run goes by. Raises `NotFound`."""
        state = await self._state(run_id)
        if state is not None:
            return await self._graph(run_id, state)
        shown = await self._announced(run_id)
        return await self.store.graph((await self.store.find(f"{shown['workflow']}@{shown['version']}")).digest)

    async def steps(
        self, run_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Steps with their outputs, in order of the workflow, and a cursor where there are more. Raises `NotFound`."""
        state = await self._begun(run_id)
        graph = await self._graph(run_id, state)
        first = int(cursor) if cursor and cursor.isdigit() else 0
        rows = await self._step_rows(run_id, first, limit)
        end = min(first + limit, state.steps)
        found = [step_document(graph, state, place, rows.get(place)) for place in range(first, end)]
        return found, str(end) if end < state.steps else None

    async def items(
        self, run_id: str, step: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Items of a map that have ended, in order of the list, and a cursor where there may be more.

        Raises:
            NotFound: there is no such run or step.
        """
        state = await self._begun(run_id)
        place = await self._place(run_id, state, step)
        prefix = records.item_prefix(place)
        found = await self._kernel.rows.page(run_address(run_id), prefix, after=cursor, limit=limit)
        rows = [{"index": int(key.removeprefix(prefix)), **row} for key, row in found]
        return rows, found[-1][0] if len(found) == limit else None

    async def timeline(self, run_id: str) -> list[dict[str, Any]]:
        """Every attempt at every step that has begun, for `trace_events` and `run_flowchart`. Raises `NotFound`."""
        state = await self._begun(run_id)
        graph = await self._graph(run_id, state)
        tried = await self._kernel.rows.page(run_address(run_id), records.ATTEMPT, limit=state.serial or 1)
        found = [_timeline_row(row) for _, row in tried]
        rows = await self._step_rows(run_id, None, state.steps)
        for place in range(state.steps):
            record = timeline_record(graph, state, place, rows.get(place))
            found += [record] if record is not None else []
        return found

    async def result(self, run_id: str) -> dict[str, Any]:
        """How a run ended: `status`, `output`, `error`, `cost_usd`, `tokens`, `duration_seconds`, and what was undone.

        Raises:
            NotFound: there is no such run.
            NotAllowedNow: it has not ended (`run_not_finished`).
        """
        state = await self._state(run_id)
        if state is None:
            await self._announced(run_id)
            state = RunState()
        refuse_unfinished(run_id, state)
        output = await self._kernel.rows.get(run_address(run_id), records.OUTPUT) if state.error is None else None
        seconds = (
            (state.finished_at - state.started_at).total_seconds() if state.finished_at and state.started_at else 0
        )
        return {
            "run_id": run_id,
            "status": state.status.value,
            "output": None if output is None else records.from_row(output),
            "error": state.error,
            "cost_usd": round(state.cost_usd, 9),
            "tokens": state.tokens,
            "duration_seconds": seconds,
            **await self._compensation(run_id, state),
        }

    async def checkpoints(self, run_id: str) -> list[dict[str, Any]]:
        """The checkpoints of a run: `name`, `at` and `version`. Raises `NotFound`."""
        await self._begun(run_id)
        found = await self._kernel.rows.page(run_address(run_id), records.CHECKPOINT, limit=1_000)
        return [{name: row[name] for name in ("name", "at", "version")} for _, row in found]

    async def _compensation(self, run_id: str, state: RunState) -> dict[str, Any]:
        if not state.completions:
            return {}
        found = await self._kernel.rows.page(run_address(run_id), records.UNDO, limit=state.completions)
        rows = [records.Completion.model_validate(row) for _, row in found]
        undone, left = records.undone_and_left([row for row in rows if row.generation == state.generation])
        return {"compensated": undone, "not_compensated": left}

    async def _state(self, run_id: str) -> RunState | None:
        """A run's state; None where it has not begun."""
        address = run_address(run_id)
        head = await self._kernel.heads.read(address) if is_address(address) else None
        state = RunState() if head is None else RunState.model_validate_json(head.state)
        return state if state.request is not None else None

    async def _begun(self, run_id: str) -> RunState:
        state = await self._state(run_id)
        if state is None:
            await self._announced(run_id)
            raise NotAllowedNow(f"Run {run_id!r} has not begun. Try again in a moment.", code="run_not_begun")
        return state

    async def _announced(self, run_id: str) -> dict[str, Any]:
        shown = await self._index.get(run_id)
        if shown is None:
            raise NotFound(f"There is no run {run_id!r}. List the runs to see which there are.", code="unknown_run")
        return {"workflow_id": run_id, **shown, "steps": {}}

    async def _graph(self, run_id: str, state: RunState) -> Graph:
        request = state.request
        assert request is not None  # noqa: S101  # `_state` gives none without
        graph = await self.store.graph(request.definition)
        if state.inputs_in_row:
            given = records.from_row(await self._kernel.rows.get(run_address(run_id), records.INPUTS))
            request = request.model_copy(update={"options": {OPTION: given[OPTION]}})
        part = part_of(request)
        return graph if part is None else inner_graph(graph, part.path)

    async def _place(self, run_id: str, state: RunState, step: str) -> int:
        graph = await self._graph(run_id, state)
        found = graph.workflow.places.get(step)
        if found is None:
            raise NotFound(f"Run {run_id!r} has no step {step!r}.", code="unknown_step")
        return found[0]

    async def _step_rows(self, run_id: str, first: int | None, count: int) -> dict[int, dict[str, Any]]:
        start = first or 0
        after = records.step_key(start - 1) if start else None
        before = records.step_key(start + count)
        found = await self._kernel.rows.page(
            run_address(run_id), records.STEP, after=after, before=before, limit=max(1, count)
        )
        return {int(key.removeprefix(records.STEP)): row for key, row in found}


def run_address(run_id: str) -> str:
    return f"{RUN_TYPE}:{run_id}"


def _timeline_row(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("step", "status", "started_at", "finished_at", "agent", "attempt", "cost")
    return {name: row[name] for name in names}
