"""A turn of a long conversation costs what one of a short one does."""

from __future__ import annotations

from aos.agents.conversations import ConversationLimits
from aos.kernel.meter import metered
from aos.kernel.policy import AgentPolicy
from tests.agents.conversations.chat import Chat, look, say, tell, world_of
from tests.harness import MemorySystem

LIMITS = ConversationLimits(max_entries=20, summary_tokens=50)


async def fill(world: MemorySystem, up_to: int) -> None:
    while (length := (await look(world))["length"]) < up_to:
        await say(world, "Nothing new on day #.", times=min(34, up_to - length))
        await world.settle()


async def cost_of_a_turn(world: MemorySystem) -> tuple[int, int, int]:
    """Most storage operations and bytes of a turn that appends, with the summary it may lead to; those of a look back.

    Twelve turns, so that one of them fills the window.
    """
    appended = []
    for _ in range(12):
        with metered() as usage:
            await tell(world, "say", {"content": "One more."})
        appended.append(usage)
    with metered() as looked:
        await tell(world, "look")
    most_bytes = max(usage.bytes_written for usage in appended)
    return max(usage.storage_operations for usage in appended), looked.storage_operations, most_bytes


async def test_operations_and_bytes_of_a_turn_do_not_grow_with_the_conversation() -> None:
    world = world_of(LIMITS)
    # What the head remembers of messages it has seen is full after so many, whatever they say.
    world.registry.behaviour("chat").policy = AgentPolicy(dedupe_window=8)  # type: ignore[union-attr]  # it is there
    costs = {}
    for length in (10, 1_000, 20_000):
        await fill(world, length)
        costs[length] = await cost_of_a_turn(world)
    assert costs[20_000][:2] == costs[1_000][:2] == costs[10][:2], costs
    assert costs[20_000][2] < costs[10][2] * 1.1, costs
    assert len(Chat.seen["window"]) <= 20


async def test_appending_needs_no_operation_of_its_own() -> None:
    world = world_of(LIMITS)
    await say(world, "Hello")
    with metered() as usage:
        await say(world, "Hello again")
    assert usage.storage_operations == 1
