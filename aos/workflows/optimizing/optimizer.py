"""Reads the latest runs of workflows, and says what they tell: advice on one, or which of two does better."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aos.kernel.kernel import Kernel
from aos.workflows.definition.graph import Graph
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import RUN_TYPE
from aos.workflows.optimizing.ab_test import ABResult, ABTest, judge
from aos.workflows.optimizing.advice import LATEST_RUNS, Advice, advise
from aos.workflows.optimizing.finished_run import FinishedRun, FinishedStep, digest_of
from aos.workflows.run import records
from aos.workflows.run.marks import Marks
from aos.workflows.run.run_state import RunState
from aos.workflows.run_index import RunIndex
from aos.workflows.status import RunStatus

_ENDED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.COMPENSATED})
_MOST_LISTED = 1_000
"""Newest runs of a name that are gone through for those of one version."""


class Optimizer:
    """Looks at runs on request; nothing is kept of it. It costs two or three storage operations a run."""

    def __init__(self, kernel: Kernel, store: WorkflowStore, index: RunIndex) -> None:
        self._kernel = kernel
        self._store = store
        self._index = index

    async def advice(self, workflow: str) -> Advice:
        """Advice on a workflow, `name` or `name@version`, from up to a hundred runs of this version.

        Raises:
            NotFound: there is no such workflow.
        """
        found = await self._store.find(workflow)
        graph = await self._store.graph(found.digest)
        return advise(graph, await self._latest(found, graph))

    async def compare(self, test: ABTest) -> ABResult:
        """What came of a test so far: of up to a hundred runs of each variant that were begun during it.

        Raises:
            NotFound: there is no such workflow.
        """
        end = test.started_at + timedelta(hours=test.hours)
        runs = []
        for variant in (test.variant_a, test.variant_b):
            found = await self._store.find(variant)
            latest = await self._latest(found, await self._store.graph(found.digest))
            runs.append([run for run in latest if test.started_at <= run.started_at < end])
        return judge(test, *runs)

    async def _latest(self, workflow: Workflow, graph: Graph) -> list[FinishedRun]:
        runs: list[FinishedRun] = []
        cursor: str | None = None
        listed = 0
        while listed < _MOST_LISTED:
            rows, cursor = await self._index.page(workflow=workflow.name, limit=LATEST_RUNS, cursor=cursor)
            listed += len(rows)
            for row in rows:
                if row["version"] == workflow.version and row["status"] in _ENDED:
                    run = await self._read(row["id"], graph)
                    runs += [run] if run is not None else []
                if len(runs) == LATEST_RUNS:
                    return runs
            if cursor is None:
                break
        return runs

    async def _read(self, run_id: str, graph: Graph) -> FinishedRun | None:
        address = f"{RUN_TYPE}:{run_id}"
        head = await self._kernel.heads.read(address)
        state = RunState() if head is None else RunState.model_validate_json(head.state)
        if state.request is None or state.started_at is None or state.finished_at is None:
            return None
        marks = list(Marks(list(state.marks)))
        rows = await self._kernel.rows.page(address, records.STEP, limit=max(1, len(marks)))
        steps = {}
        for key, row in rows:
            place = int(key.removeprefix(records.STEP))
            if place < len(marks) and marks[place].has_record:
                steps[graph.steps[place].id] = _step(row)
        inputs: Any = state.request.inputs
        if state.inputs_in_row:
            inputs = records.from_row(await self._kernel.rows.get(address, records.INPUTS))
        return FinishedRun(
            run_id=run_id,
            status=state.status,
            started_at=state.started_at,
            finished_at=state.finished_at,
            cost=state.cost_usd,
            inputs=digest_of(inputs),
            steps=steps,
        )


def _step(row: dict[str, Any]) -> FinishedStep:
    record = records.Record.model_validate(row)
    return FinishedStep(
        status=record.status,
        started_at=record.started_at,
        finished_at=record.finished_at,
        agent=record.agent,
        attempts=record.attempt,
        cost=record.cost,
        output=None if record.output is None else digest_of(record.output),
    )
