"""What was said is there in the next turn, in order, bounded, corrected and labelled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.agents.conversations import Conversation, ConversationLimits
from aos.kernel.errors import InvalidInput, NotAllowedNow, SettingInvalid
from tests.agents.conversations.chat import look, record, say, tell, world_of
from tests.harness import MemorySystem


async def test_what_was_said_is_there_in_the_next_turn_and_in_another_host() -> None:
    world = world_of()
    await say(world, "Hello", who="ann")
    await say(world, "Hello Ann", role="assistant")
    successor = world_of()
    vars(successor.tables).update(vars(world.tables))
    seen = await look(successor)
    assert seen["messages"] == [("system", "Be kind."), ("user", "Hello"), ("assistant", "Hello Ann")]
    assert (seen["length"], seen["newest"]) == (2, ["Hello", "Hello Ann"])


async def test_an_entry_says_who_said_it_when_in_which_message_and_how_long_it_is() -> None:
    world = world_of()
    await say(world, "twelve chars", meta={"channel": "mail"})
    await say(world, "An answer", role="assistant")
    page = await (await world.system.directory.conversations("chat")).page("main", order="oldest")
    first, second = page["entries"]
    assert (first["number"], first["who"], first["tokens"], first["meta"]) == (0, "/api/agents", 4, {"channel": "mail"})
    assert (first["time"], second["who"]) == ("2026-01-01T00:00:00Z", "chat")
    assert first["message_id"] != second["message_id"]


async def test_conversations_go_by_the_messages_conversation_id_and_do_not_mix() -> None:
    world = world_of()
    for id in ("ann", "bob/1", "bob:1", "Größe"):
        await tell(world, "say", {"content": f"I am {id}"}, conversation_id=id)
    for id in ("ann", "bob/1", "bob:1", "Größe"):
        assert (await look(world, id))["newest"] == [f"I am {id}"]
    assert (await look(world))["window"] == []


async def test_a_message_that_fails_leaves_no_entry_and_one_that_is_tried_again_leaves_one() -> None:
    world = world_of()
    await say(world, "once", fail=True)
    assert (await world.system.directory.status("chat"))["counters"] == {"retried": 1}
    await world.settle()
    assert (await look(world))["newest"] == ["once"]


async def test_the_window_is_bounded_by_entries_tokens_and_bytes() -> None:
    for limits in (
        ConversationLimits(max_entries=4, summarise=False),
        ConversationLimits(max_tokens=40, summarise=False),
        ConversationLimits(max_bytes=1_000, summarise=False),
    ):
        world = world_of(limits)
        for _ in range(12):
            await say(world, "entry number #")
        seen = await look(world)
        assert 1 < len(seen["window"]) < 12
        assert seen["window"][-1] == "entry number 11"
        kept = await record(world)
        assert kept["tokens"] <= limits.max_tokens
        assert kept["bytes"] <= limits.max_bytes
        assert len(kept["window"]) <= limits.max_entries


async def test_of_a_long_entry_the_window_has_the_beginning_and_the_history_all() -> None:
    world = world_of(ConversationLimits(max_bytes=4_000))
    await say(world, "ß" * 100_000)
    seen = await look(world)
    assert (len(seen["window"][0]), len(seen["newest"][0])) == (500, 100_000)
    assert (await record(world))["window"]["0"]["cut"] is True


async def test_names_are_told_where_several_speak() -> None:
    world = world_of()
    await say(world, "Yes", who="ann")
    await say(world, "No", who="bob")
    await say(world, "42", role="tool", who="calculator")
    assert (await look(world))["messages"][1:] == [
        ("user", "ann: Yes"),
        ("user", "bob: No"),
        ("user", "Result of a tool (calculator):\n42"),
    ]


async def test_labels_stay_with_what_was_said_and_mark_the_turn_that_reads_it() -> None:
    world = world_of()
    await tell(world, "say", {"content": "Buy now"}, labels=frozenset({"untrusted:mail"}))
    assert (await look(world))["labels"] == ["untrusted:mail"]
    assert (await look(world, "other"))["labels"] == []
    await say(world, "From outside", role="system", labels=["untrusted:web"])
    seen = await look(world)
    assert seen["messages"][-1] == ("user", "From outside")
    assert seen["labels"] == ["untrusted:mail", "untrusted:web"]


async def test_a_correction_is_an_entry_of_its_own_that_shows_in_place_of_the_old_one() -> None:
    world = world_of()
    await say(world, "Pay 100", who="ann")
    await say(world, "Fine", role="assistant")
    await tell(world, "change", {"number": 0, "content": "Pay 10"})
    await tell(world, "change", {"number": 2, "content": "Pay 11"})
    seen = await look(world)
    assert seen["messages"][1:] == [("user", "Pay 11"), ("assistant", "Fine")]
    history = await world.system.directory.conversations("chat")
    entries = (await history.page("main", order="oldest"))["entries"]
    assert [entry["content"] for entry in entries] == ["Pay 11", "Fine", "Pay 11", "Pay 11"]
    assert (entries[0]["corrected_by"], entries[2]["corrects"], entries[3]["corrects"]) == (3, 0, 2)


async def test_what_was_redacted_is_shown_nowhere() -> None:
    world = world_of()
    await say(world, "My number is 555")
    await say(world, "Noted", role="assistant")
    await tell(world, "change", {"number": 0, "content": "My number is 556"})
    await tell(world, "change", {"number": 2})
    seen = await look(world)
    assert "55" not in str(seen)
    assert (await record(world))["title"] == ""
    await tell(world, "change", {"number": 0})
    page = await (await world.system.directory.conversations("chat")).page("main")
    assert "55" not in str(page)
    assert page["entries"][-1]["redacted_by"] == 4


async def test_only_what_was_said_can_be_corrected() -> None:
    world = world_of()
    await say(world, "One")
    await tell(world, "change", {"number": 1})
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert "has no entry 1" in letter.error["message"]


async def test_conversations_not_used_for_long_leave_the_state_and_come_back() -> None:
    world = world_of(ConversationLimits(max_open=2))
    for id in ("a", "b", "c", "a", "b"):
        await say(world, f"to {id} #", to=id)
    head = await world.system.kernel.heads.read("chat")
    assert head is not None
    assert b'"c"' not in head.state
    assert (await look(world, "c"))["window"] == ["to c 0"]
    assert (await look(world, "a"))["window"] == ["to a 0", "to a 1"]
    await say(world, "to c #", to="c")
    assert (await look(world, "c"))["window"] == ["to c 0", "to c 1"]


async def test_two_views_of_one_conversation_in_one_turn_are_one() -> None:
    class Twice(Agent[NoState]):
        type = "twice"
        escaped: Conversation | None = None

        @on("go")
        async def go(self, turn: Turn, _: NoState, data: Any) -> None:
            one, other = await self.conversation(turn), await self.conversation(turn)
            one.append("1")
            other.append("2")
            one.append("3")
            assert [entry.content for entry in other.window] == ["1", "2", "3"]
            assert [entry.content for entry in await one.page(before=2)] == ["1", "2"]
            with pytest.raises(InvalidInput, match="no role"):
                one.append("x", role="judge")  # type: ignore[arg-type]  # what is wrong is the point
            with pytest.raises(InvalidInput, match="256"):
                await self.conversation(turn, "x" * 257)
            Twice.escaped = one

    world = MemorySystem(Twice())
    await world.system.directory.send("twice", "go", None)
    await world.settle()
    assert (await world.system.directory.status("twice"))["counters"] == {"applied": 1}
    assert Twice.escaped is not None
    with pytest.raises(NotAllowedNow, match="only in a turn"):
        Twice.escaped.append("late")
    assert len(Twice.escaped) == 3


async def test_the_authors_state_does_not_show_conversations_and_the_journal_vouches_for_them() -> None:
    world = world_of()
    await say(world, "Hello")
    assert await world.state("chat") == {}
    assert (await world.system.directory.verify("chat")).problem is None
    [entry] = await world.system.directory.journal("chat")
    assert "c:main:0000000000" in entry.to_json()["rows"]


@pytest.mark.parametrize("wrong", [{"max_entries": 0}, {"keep_for": timedelta()}])
def test_limits_that_hold_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingInvalid):
        ConversationLimits(**wrong)
