"""Read models that choose the entries they want, and what a turn sees of rows it wrote beside those it asks for."""

from __future__ import annotations

from typing import Any

from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry
from aos.kernel.turn import Turn
from tests.kernel.world import Script, World


class Notable:
    """Wants the entries with facts."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def chooses(self, entry: JournalEntry) -> bool:
        return bool(entry.facts)

    async def apply_entry(self, entry: JournalEntry, head: Head) -> None:
        self.seen.append((entry.version, head.version))


async def test_a_read_model_gets_the_entries_it_chooses_again_when_they_are_published_again() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data:
            turn.record("noted")

    notable = Notable()
    world = World(Script("a", run), projections=[notable])  # type: ignore[list-item]  # either kind is taken
    message = world.message("a", data="worth it")
    await world.give(world.message("a"))
    await world.give(message)
    assert notable.seen == [(2, 2)]
    await world.give(message, delivery_count=2)
    assert notable.seen == [(2, 2), (2, 2)]


async def test_a_page_of_rows_has_only_those_asked_for_whatever_the_turn_wrote() -> None:
    pages: list[Any] = []

    async def run(turn: Turn) -> None:
        for key in ("log-1", "log-2", "log-3", "other"):
            turn.rows.put(key, key)
        pages.append(await turn.rows.page("log-", after="log-1", before="log-3"))

    world = World(Script("a", run))
    await world.give(world.message("a"))
    assert pages == [[("log-2", "log-2")]]
