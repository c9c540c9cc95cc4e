"""Rows of an agent: written with the turn or not at all, read as the turn has left them."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from aos.kernel import meter
from aos.kernel.errors import Conflict, InvalidInput, StoreUnavailable, TerminalError, Throttled
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.rows import MOST_ROWS
from aos.kernel.turn import Turn
from tests.kernel.test_guarantees import Flaky
from tests.kernel.world import Script, World


async def note(turn: Turn) -> None:
    """Keeps each line under its number."""
    number = turn.state["lines"] = turn.state.get("lines", 0) + 1
    turn.rows.put(f"line:{number:06d}", turn.message.data)


async def test_rows_outlive_the_instance_and_are_paged_in_the_order_of_their_keys() -> None:
    world = World(Script("a", note))
    for number in range(7):
        await world.give(world.message("a", data={"number": number}))
    rows = world.instance().rows
    first = await rows.page("a", "line:", limit=3)
    assert [value["number"] for _, value in first] == [0, 1, 2]
    rest = await rows.page("a", "line:", after=first[-1][0], limit=10)
    assert [value["number"] for _, value in rest] == [3, 4, 5, 6]
    assert [key for key, _ in await rows.page("a", "line:", before="line:000003")] == ["line:000001", "line:000002"]
    assert await rows.get("a", "line:000002") == b'{"number":1}'
    assert await rows.get("a", "line:000009") is None


async def test_a_turn_writes_its_rows_in_the_one_transaction_it_pays_for_anyway() -> None:
    world = World(Script("a", note))
    await world.give(world.message("a", data=1))
    with meter.metered() as usage:
        await world.give(world.message("a", data=2), world.message("a", data=3))
    assert usage.storage_operations == 1
    assert len(await world.kernel.rows.page("a", "line:")) == 3


async def test_a_turn_reads_what_it_and_earlier_messages_of_it_wrote() -> None:
    seen: list[Any] = []

    async def run(turn: Turn) -> None:
        seen.append([await turn.rows.get("x", "nothing"), await turn.rows.page("x")])
        turn.rows.put("x", turn.message.data)
        turn.rows.put(f"x{turn.message.data}", True)
        seen.append([await turn.rows.get("x"), [key for key, _ in await turn.rows.page("x")]])

    world = World(Script("a", run))
    await world.give(world.message("a", data=1), world.message("a", data=2))
    assert seen == [
        ["nothing", []],
        [1, ["x", "x1"]],
        [1, [("x", 1), ("x1", True)]],
        [2, ["x", "x1", "x2"]],
    ]


async def test_a_deleted_row_is_gone_at_once_and_its_room_in_a_page_is_taken_by_the_next() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "fill":
            for number in range(5):
                turn.rows.put(f"n{number}", number)
            return
        assert await turn.rows.delete("n1")
        assert not await turn.rows.delete("n1")
        assert not await turn.rows.delete("never")
        turn.state["page"] = [value for _, value in await turn.rows.page("n", after="n0", before="n4", limit=2)]

    world = World(Script("a", run))
    await world.give(world.message("a", "fill"))
    await world.give(world.message("a", "clear"))
    assert (await world.state("a"))["page"] == [2, 3]
    assert [value for _, value in await world.kernel.rows.page("a", "n")] == [0, 2, 3, 4]


async def test_a_row_that_only_this_turn_knew_can_be_deleted_and_written_again() -> None:
    async def run(turn: Turn) -> None:
        turn.rows.put("draft", 1)
        assert await turn.rows.delete("draft")
        if turn.message.data:
            turn.rows.put("draft", turn.message.data)

    world = World(Script("a", run))
    await world.give(world.message("a"))
    assert await world.kernel.rows.get("a", "draft") is None
    await world.give(world.message("a", data=2))
    assert await world.kernel.rows.get("a", "draft") == b"2"


async def test_a_message_that_fails_takes_only_its_own_rows_with_it() -> None:
    async def run(turn: Turn) -> None:
        turn.rows.put(turn.message.id, 1)
        if turn.message.type == "bad":
            raise TerminalError("No.")

    world = World(Script("a", run))
    good, bad = world.message("a"), world.message("a", "bad")
    await world.give(good, bad)
    assert [key for key, _ in await world.kernel.rows.page("a", "m")] == [good.id]


async def test_without_a_commit_there_are_no_rows() -> None:
    tables = Flaky()
    world = World(Script("a", note), tables=tables)
    tables.before = StoreUnavailable("Down.")
    with pytest.raises(StoreUnavailable):
        await world.give(world.message("a", data=1))
    assert await world.kernel.rows.page("a", "line:") == []


async def test_an_instance_that_lost_its_mailbox_writes_no_rows() -> None:
    world = World(Script("a", note))
    await world.give(world.message("a", data="first"))
    zombie, other = world.instance(), world.instance()

    async def overtaken(turn: Turn) -> None:
        turn.rows.put("line:000002", "zombie")
        world.scripts.by_type["a"].run = note
        await world.give(world.message("a", data="second"), kernel=other)

    world.scripts.by_type["a"].run = overtaken
    with pytest.raises(Conflict):
        await world.give(world.message("a", data="lost"), kernel=zombie)
    assert [value for _, value in await world.kernel.rows.page("a", "line:")] == ["first", "second"]


async def test_the_journal_names_each_row_by_the_digest_of_its_value() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data is None:
            await turn.rows.delete("x")
        else:
            turn.rows.put("x", turn.message.data)

    world = World(Script("a", run))
    await world.give(world.message("a", data="one"))
    await world.give(world.message("a"))
    written, deleted = await world.kernel.journal.entries("a", after=0, limit=10)
    assert written.rows == {"x": hashlib.sha256(b'"one"').hexdigest()}
    assert deleted.rows == {"x": None}
    assert (await world.kernel.journal.verify("a", await world.kernel.heads.read("a"))).problem is None


async def test_a_value_too_large_for_a_row_is_kept_all_the_same() -> None:
    text = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=300_000))
    world = World(Script("a", note))
    await world.give(world.message("a", data=text))
    assert (await world.kernel.rows.page("a", "line:"))[0][1] == text


@pytest.mark.parametrize("key", ["", "a/b", "ä", "x" * 201, "a~"])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    async def run(turn: Turn) -> None:
        with pytest.raises(InvalidInput, match="no key of a row"):
            turn.rows.put(key, 1)
        with pytest.raises(InvalidInput):
            await turn.rows.get(key)

    world = World(Script("a", run))
    await world.give(world.message("a"))


async def test_what_is_too_much_for_a_transaction_or_not_json_is_a_clear_error() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "many":
            for number in range(MOST_ROWS + 1):
                turn.rows.put(f"n{number}", 1)
        turn.rows.put("x", {1, 2})

    world = World(Script("a", run))
    await world.give(world.message("a", "many"), world.message("a", "set"))
    letters, _ = await world.kernel.dead_letters.page()
    assert sorted(letter.error["code"] for letter in letters) == ["row_not_json", "too_many_rows"]


async def test_more_rows_than_a_transaction_holds_become_several_turns_of_one_delivery() -> None:
    async def run(turn: Turn) -> None:
        for number in range(30):
            turn.rows.put(f"{turn.message.data:02d}.{number:02d}", number)

    world = World(Script("a", run))
    await world.give(*[world.message("a", data=number) for number in range(10)])
    assert len(await world.kernel.rows.page("a", "0", limit=1_000)) == 300
    head = await world.kernel.heads.read("a")
    assert head is not None
    assert head.counters["applied"] == 10
    assert head.version == 5


async def test_in_strict_order_those_that_waited_are_taken_up_as_the_transaction_has_room() -> None:
    failing = True

    async def run(turn: Turn) -> None:
        if failing:
            raise Throttled("Not yet.")
        for number in range(30):
            turn.rows.put(f"{turn.message.data:02d}.{number:02d}", turn.version)

    policy = AgentPolicy(strict_order=True, retry=RetryPolicy(first_delay=1, jitter=0))
    world = World(Script("a", run, policy))
    await world.give(*[world.message("a", data=number) for number in range(10)])
    failing = False
    await world.settle()
    rows = await world.kernel.rows.page("a", "0", limit=1_000)
    assert len(rows) == 300
    versions = [version for _, version in rows]
    assert versions == sorted(versions)
    assert len(set(versions)) > 1
