"""Agents declared while the system runs: versions, conflicts, and other instances."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aos.agents import AgentRegistry
from aos.agents.declaration import Declaration
from aos.agents.declarations import Declarations, read_declaration
from aos.kernel import meter
from aos.kernel.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound, PayloadTooLarge, StoreUnavailable
from aos.testing import MemoryTableStore, VirtualClock
from tests.agents.test_agent import Counter
from tests.agents.test_declarative_agent import WRITER
from tests.harness import MemorySystem


def writer(**fields: Any) -> Declaration:
    return Declaration.model_validate({**WRITER, **fields})


class Instances:
    """Two processes over one store."""

    def __init__(self) -> None:
        self.tables = MemoryTableStore()
        self.clock = VirtualClock()
        self.registries = [AgentRegistry([Counter()]), AgentRegistry([Counter()])]
        self.here, self.there = (Declarations(registry, self.tables, self.clock) for registry in self.registries)

    def name_there(self) -> str | None:
        agent = self.registries[1].behaviour("writer")
        return agent.name if agent else None


async def test_versions_are_kept_and_the_same_again_is_none() -> None:
    instances = Instances()
    first = await instances.here.put(writer(), only_new=True)
    again = await instances.here.put(writer())
    second = await instances.there.put(writer(name="Poet"), expected=1)
    assert (first["version"], again["version"], second["version"]) == (1, 1, 2)
    assert [item["version"] for item in await instances.here.versions("writer")] == [1, 2]
    assert (await instances.here.get("writer", 1))["declaration"]["name"] == "Writer"
    assert (await instances.here.get("writer"))["declaration"]["name"] == "Poet"
    with pytest.raises(NotAllowedNow, match="at version 2, not 1"):
        await instances.here.put(writer(name="Third"), expected=1)
    with pytest.raises(AlreadyExists, match="PUT"):
        await instances.here.put(writer(), only_new=True)


async def test_tools_are_granted_of_servers_that_are_there() -> None:
    declarations = Declarations(AgentRegistry(), MemoryTableStore(), VirtualClock(), servers={"time", "search"})
    strange = writer(mcp=["time.*", "*.find", "files.read"], mcp_tools=[{"server_name": "erp", "tool_name": "book"}])
    with pytest.raises(InvalidInput) as refused:
        await declarations.put(strange)
    assert "`mcp` names the server 'files', which is not registered. There are: search, time." in str(refused.value)
    assert "`mcp_tools` names the server 'erp'" in str(refused.value)
    known = writer(mcp=["time.*", "*.find"], mcp_tools=[{"server_name": "search", "tool_name": "look"}])
    assert (await declarations.put(known))["version"] == 1


async def test_a_change_is_in_force_elsewhere_within_seconds() -> None:
    instances = Instances()
    await instances.there.keep_fresh()
    await instances.here.put(writer())
    assert instances.name_there() is None
    await instances.there.keep_fresh("writer")
    assert instances.name_there() == "Writer"
    await instances.here.put(writer(name="Poet"))
    instances.clock.advance(6)
    await instances.there.keep_fresh("writer")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert instances.name_there() == "Poet"
    await instances.here.delete("writer")
    instances.clock.advance(16)
    await instances.there.keep_fresh("counter")
    assert instances.name_there() is None


async def test_looking_for_changes_costs_a_read_in_five_seconds_and_none_in_between() -> None:
    instances = Instances()
    await instances.here.put(writer())
    await instances.there.keep_fresh()
    with meter.metered() as usage:
        for _ in range(100):
            await instances.there.keep_fresh("writer")
        assert usage.storage_operations == 0
        instances.clock.advance(20)
        await instances.there.keep_fresh("writer")
        assert usage.storage_operations == 1


async def test_a_deleted_agent_can_be_declared_again_and_goes_on_counting() -> None:
    instances = Instances()
    await instances.here.put(writer())
    await instances.here.delete("writer", expected=1)
    with pytest.raises(NotFound):
        await instances.here.get("writer")
    with pytest.raises(NotFound):
        await instances.here.delete("writer")
    assert [item["deleted"] for item in await instances.here.versions("writer")] == [False, True]
    assert (await instances.here.put(writer(), only_new=True))["version"] == 3
    with pytest.raises(NotFound):
        await instances.here.versions("nobody")


async def test_many_writers_at_once_lose_nothing() -> None:
    instances = Instances()
    await asyncio.gather(
        *(side.put(writer(name=f"W{n}")) for n in range(3) for side in (instances.here, instances.there))
    )
    versions = [item["version"] for item in await instances.here.versions("writer")]
    assert versions == list(range(1, len(versions) + 1))
    assert (await instances.here.get("writer"))["version"] == len(versions)


async def test_what_comes_with_the_application_cannot_be_declared_or_deleted() -> None:
    instances = Instances()
    with pytest.raises(AlreadyExists, match="comes with the application"):
        await instances.here.put(writer(id="counter"))
    with pytest.raises(NotAllowedNow, match="comes with the application"):
        await instances.here.delete("counter")


async def test_a_disabled_agent_is_kept_and_takes_no_part() -> None:
    instances = Instances()
    await instances.here.put(writer(enabled=False))
    assert instances.registries[0].behaviour("writer") is None
    await instances.here.put(writer(enabled=True))
    assert instances.registries[0].behaviour("writer") is not None


async def test_too_long_a_declaration_is_refused() -> None:
    import random

    noise = "".join(chr(random.Random(n).randrange(0x4E00, 0x9FFF)) for n in range(90_000))
    with pytest.raises(PayloadTooLarge, match="Shorten"):
        await Instances().here.put(writer(instructions=noise))


async def test_storage_that_is_out_of_reach_holds_up_only_what_is_too_old() -> None:
    instances = Instances()
    await instances.here.put(writer())
    await instances.there.keep_fresh()

    async def fail(*_: Any) -> Any:
        raise StoreUnavailable("Tables are away.")

    instances.tables.get = fail  # type: ignore[method-assign, assignment]
    instances.clock.advance(6)
    await instances.there.keep_fresh("writer")
    await asyncio.sleep(0)
    assert instances.name_there() == "Writer"
    instances.clock.advance(10)
    with pytest.raises(StoreUnavailable):
        await instances.there.keep_fresh("writer")


async def test_a_message_for_an_agent_declared_a_moment_ago_elsewhere_reaches_it() -> None:
    world = MemorySystem()
    await world.system.declarations.keep_fresh()
    elsewhere = Declarations(AgentRegistry(), world.tables, world.clock)
    await elsewhere.put(writer(triggers=[{"topic": "news"}]))
    from aos.kernel.message import Message

    letter = Message(id="1", source="x", type="agent.query", time=world.clock.now(), data="Hi", to="writer")
    await world.system.kernel.mailbox.post(letter)
    await world.settle()
    [dead], _ = await world.system.kernel.dead_letters.page()
    assert dead.error["code"] == "no_model_configured"


def test_what_is_wrong_with_a_declaration_is_named() -> None:
    with pytest.raises(InvalidInput, match="name: Field required"):
        read_declaration({"id": "a", "description": "b", "instructions": "c"})
    with pytest.raises(InvalidInput, match="not right"):
        read_declaration(["x"])
