"""The store of workflows: versions for good, the latest by name, and what comes with the application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound
from aos.testing import MemoryBlobStore, MemoryTableStore, VirtualClock
from aos.workflows.definition.check import check
from aos.workflows.definition.stored_references import known_for
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import TABLE, WorkflowStore


def flow(name: str = "refund", agent: str = "cashier", **fields: Any) -> Workflow:
    return Workflow.from_json({"name": name, "steps": [{"id": "a", "agent": agent}], **fields})


class World:
    def __init__(self) -> None:
        self.tables, self.blobs, self.clock = MemoryTableStore(), MemoryBlobStore(), VirtualClock()

    def store(self, *packaged: Workflow) -> WorkflowStore:
        return WorkflowStore(self.tables, self.blobs, self.clock, {workflow.name: workflow for workflow in packaged})


@pytest.fixture
def world() -> World:
    return World()


async def test_a_workflow_is_found_by_name_version_and_digest_in_every_process(world: World) -> None:
    first, second = flow(), flow(agent="cfo", title="Refund", revision=7)
    await world.store().put(first)
    shown = await world.store().put(second, by="ann")
    assert (shown["number"], shown["version"], shown["title"], shown["revision"]) == (2, second.version, "Refund", 7)
    other = world.store()
    assert await other.find("refund") == second
    assert await other.find(f"refund@{first.version}") == first
    assert await other.find(f"refund@{first.digest}") == first
    assert await other.get(first.digest) == first
    assert (await other.graph(first.digest)).needs == ((),)
    versions, cursor = await other.versions("refund")
    assert [(row["number"], row["digest"], row["by"]) for row in versions] == [
        (2, second.digest, "ann"),
        (1, first.digest, None),
    ]
    assert cursor is None


async def test_the_same_again_makes_no_new_version(world: World) -> None:
    store = world.store()
    assert await store.put(flow()) == await store.put(flow()) == await world.store().put(flow())
    assert len((await store.versions("refund"))[0]) == 1


async def test_an_earlier_version_can_be_made_the_latest_again(world: World) -> None:
    store = world.store()
    for agent in ("x", "y", "x"):
        await store.put(flow(agent=agent))
    assert await store.find("refund") == flow(agent="x")
    assert [row["number"] for row in (await store.versions("refund"))[0]] == [3, 2, 1]


async def test_names_are_listed_page_by_page(world: World) -> None:
    store = world.store()
    for name in ("b", "a", "c"):
        await store.put(flow(name))
        await store.put(flow(name, "cfo"))
    first, cursor = await store.names(limit=2)
    rest, end = await store.names(limit=2, cursor=cursor)
    assert [(row["name"], row["number"]) for row in first + rest] == [("a", 2), ("b", 2), ("c", 2)]
    assert end is None


async def test_two_that_put_at_once_both_are_kept(world: World) -> None:
    await asyncio.gather(*(world.store().put(flow(agent=f"x{n}")) for n in range(5)))
    versions, _ = await world.store().versions("refund")
    assert [row["number"] for row in versions] == [5, 4, 3, 2, 1]
    assert len({row["digest"] for row in versions}) == 5


async def test_a_digest_is_read_once_in_a_process(world: World) -> None:
    await world.store().put(flow())
    store = world.store()
    await store.get(flow().digest)
    await world.blobs.delete(f"workflows/{flow().digest}.json")
    assert await store.get(flow().digest) == flow()


async def test_what_is_not_there_is_not_found(world: World) -> None:
    store = world.store()
    await store.put(flow())
    for reference in ("refnd", "refund@000000000000", f"refund@{flow().version}ffff"):
        with pytest.raises(NotFound, match="There is no workflow"):
            await store.find(reference)
    with pytest.raises(NotFound):
        await store.get("0" * 64)
    with pytest.raises(NotFound):
        await store.versions("refnd")
    with pytest.raises(InvalidInput, match="12 characters"):
        await store.find("refund@abc")
    with pytest.raises(AlreadyExists, match="Replace it"):
        await store.put(flow(agent="y"), only_new=True)


async def test_what_comes_with_the_application_is_kept_when_it_is_used(world: World) -> None:
    """A later deployment may have another version; a run goes on with the one it started with."""
    store = world.store(flow(title="old"))
    with pytest.raises(AlreadyExists, match="comes with the application"):
        await store.put(flow())
    assert (await store.find("refund")).title == "old"
    later = world.store(flow(title="new"))
    assert (await later.find("refund")).title == "new"
    assert (await later.get(flow(title="old").digest)).title == "old"
    assert (await later.find(f"refund@{flow(title='old').version}")).title == "old"


async def test_finding_a_packaged_workflow_again_writes_nothing(world: World) -> None:
    store = world.store(flow())
    await store.find("refund")
    before = await world.tables.get(TABLE, "definitions", "current|refund")
    await store.find("refund")
    assert await world.tables.get(TABLE, "definitions", "current|refund") == before


async def test_a_check_knows_the_workflows_it_runs_through_others(world: World) -> None:
    store = world.store(flow("packed", inputs={"n": "number"}))
    await store.put(Workflow.from_json({"name": "middle", "steps": [{"id": "m", "workflow": "outer"}]}))
    steps = [
        {"id": "a", "workflow": "middle"},
        {"id": "b", "workflow": "packed", "with": {}},
        {"id": "c", "workflow": "midle"},
    ]
    outer = Workflow.from_json({"name": "outer", "steps": steps})
    problems = check(outer, await known_for(outer, store, agents={"x"}))
    assert [problem.code for problem in problems] == ["workflow_recursion", "missing_input", "unknown_workflow"]
    assert "outer -> middle -> outer" in problems[0].message
    assert "Did you mean 'middle'?" in problems[2].message
