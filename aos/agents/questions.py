"""The open questions of all agents: an index says whose heads to look into, the heads say what is asked."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aos.kernel.errors import Conflict
from aos.kernel.head import Head
from aos.kernel.heads import Heads
from aos.kernel.journal import JournalEntry
from aos.kernel.ports import Delete, Entity, Operation, TableStore, Upsert
from aos.kernel.questions import CLOSED, PARKED

TABLE = "questions"
PARTITION = "open"


class QuestionIndex:
    """A row for each question that was asked and is not closed. Where it lags behind, the heads are believed."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def chooses(self, entry: JournalEntry) -> bool:
        return any(fact.get("kind") in (PARKED, CLOSED) for fact in entry.facts)

    async def apply_entry(self, entry: JournalEntry, head: Head) -> None:
        named = {_question(fact) for fact in entry.facts if fact.get("kind") in (PARKED, CLOSED)}
        for row, open_ in sorted((_row(entry.agent, question), question in head.parked) for question in named):
            if open_:
                change: Operation = Upsert(Entity(PARTITION, row, {"agent": entry.agent}))
            else:
                change = Delete(PARTITION, row)
            # A row that is to go and is not there went when the entry was published before.
            with suppress(Conflict):
                await self._tables.commit(TABLE, [change])

    async def page(self, *, limit: int, cursor: str | None) -> tuple[dict[str, str], str | None]:
        """Rows with the addresses of their agents, and a cursor where there are more."""
        page = await self._tables.scan(TABLE, PARTITION, limit=limit, cursor=cursor)
        return {entity.row: str(entity.values["agent"]) for entity in page.entities}, page.cursor


class Questions:
    """What people are asked, by all agents or by one."""

    def __init__(self, heads: Heads, index: QuestionIndex) -> None:
        self._heads = heads
        self._index = index

    async def page(
        self, *, agent: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Open questions, an agent's together, and a cursor where there are more.

        Args:
            agent: Only its questions; all of them are then on one page.
            limit: At most so many, otherwise.
            cursor: Where the page before said to go on.
        """
        if agent is not None:
            return await self._asked([agent]), None
        rows, following = await self._index.page(limit=limit, cursor=cursor)
        asked = await self._asked(dict.fromkeys(rows.values()))
        return [shown for shown in asked if _row(shown["agent"], shown["id"]) in rows], following

    async def _asked(self, addresses: Iterable[str]) -> list[dict[str, Any]]:
        heads = await asyncio.gather(*(self._heads.read(address) for address in addresses))
        return [shown for head in heads if head is not None for shown in open_questions(head)]


def open_questions(head: Head) -> list[dict[str, Any]]:
    """The questions that messages of an agent wait for, oldest first."""
    return [
        {
            "agent": head.agent,
            "id": question,
            "since": record["since"],
            "expires": record.get("expires"),
            "message_id": record["message"]["id"],
            **record["question"],
        }
        for question, record in sorted(head.parked.items(), key=lambda item: str(item[1]["since"]))
    ]


def _question(fact: dict[str, Any]) -> str:
    return str(fact.get("question") or (fact.get("details") or {}).get("question", ""))


def _row(agent: str, question: str) -> str:
    return f"{agent}|{hashlib.sha256(question.encode()).hexdigest()[:16]}"
