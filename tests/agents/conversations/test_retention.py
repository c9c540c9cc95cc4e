"""Entries whose time is over are deleted, whether or not anybody comes back to the conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aos.agents.conversations import ConversationLimits
from tests.agents.conversations.chat import look, record, say, tell, world_of
from tests.harness import MemorySystem

DAY = timedelta(days=1)
LIMITS = ConversationLimits(keep_for=30 * DAY, max_entries=8)


async def rows(world: MemorySystem, prefix: str) -> list[Any]:
    return await world.system.kernel.rows.page("chat", prefix, limit=1_000)


async def test_entries_go_when_their_time_is_over_and_their_number_is_kept() -> None:
    world = world_of(LIMITS)
    await say(world, "The old harbour. #", times=34)
    await world.settle(until=10 * DAY)
    await say(world, "The new harbour. #", times=3)
    await world.settle(until=15 * DAY)
    assert len(await rows(world, "c:")) == 37
    await world.settle(until=6 * DAY)
    assert [entry["number"] for _, entry in await rows(world, "c:")] == [34, 35, 36]
    page = await (await world.system.directory.conversations("chat")).page("main")
    assert (page["removed"], page["total"], page["summary"]) == (34, 3, None)
    assert "old harbour" not in str(await record(world))
    await world.settle(until=10 * DAY)
    assert await rows(world, "c:") == []
    [listed], _ = await (await world.system.directory.conversations("chat")).list()
    assert (listed["removed"], listed["entries"], listed["title"]) == (37, 0, "")


async def test_conversations_that_left_the_state_are_found_too_and_corrections_go_with_their_entries() -> None:
    world = world_of(ConversationLimits(keep_for=30 * DAY, max_open=1))
    await say(world, "secret")
    await tell(world, "change", {"number": 0, "content": "no secret"})
    for id in ("a", "b", "c"):
        await world.settle(until=DAY)
        await say(world, f"to {id}", to=id)
    await world.settle(until=27 * DAY)
    assert {key for key, _ in await rows(world, "c:")} == {f"c:{id}:0000000000" for id in "abc"}
    assert await rows(world, "d:") == []
    await world.settle(until=30 * DAY)
    assert await rows(world, "c:") + await rows(world, "x:") == []
    assert (await look(world, "a"))["window"] == []


async def test_a_conversation_goes_on_after_everything_in_it_was_deleted() -> None:
    world = world_of(LIMITS)
    await say(world, "before", labels=["untrusted:web"])
    await world.settle(until=31 * DAY)
    await say(world, "after")
    seen = await look(world)
    assert (seen["window"], seen["labels"], seen["length"]) == (["after"], [], 2)
    await world.settle(until=31 * DAY)
    assert await rows(world, "c:") == []


async def test_without_a_limit_nothing_is_deleted_and_one_set_later_holds_for_what_is_there() -> None:
    world = world_of()
    await say(world, "before")
    await world.settle(until=1_000 * DAY)
    assert len(await rows(world, "c:")) == 1
    world.registry.behaviour("chat").conversation_limits = LIMITS  # type: ignore[union-attr]  # it is there
    await say(world, "after")
    await world.settle(until=DAY)
    assert [entry["content"] for _, entry in await rows(world, "c:")] == ["after"]
