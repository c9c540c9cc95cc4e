"""Conversations of an agent as they are read between its turns: a list of them, and each page by page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from aos.agents.conversations.entry import LIST_PREFIX, shelf_key
from aos.agents.conversations.limits import ConversationLimits
from aos.agents.conversations.reading import read_entries
from aos.agents.conversations.record import Record
from aos.agents.conversations.shelf import CONVERSATIONS
from aos.kernel.errors import InvalidInput, NotFound
from aos.kernel.heads import Heads
from aos.kernel.rows import StoredRows

Order = Literal["newest", "oldest"]
_CURSOR = re.compile(r"\d{16}:[A-Za-z0-9._@-]{1,150}")


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one agent."""

    stored: StoredRows
    agent: str

    async def page(
        self, prefix: str, *, after: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[tuple[str, Any]]:
        return await self.stored.page(self.agent, prefix, after=after, before=before, limit=limit)


class ConversationHistory:
    """The conversations of one agent, committed so far."""

    def __init__(self, heads: Heads, rows: StoredRows, agent: str) -> None:
        self._heads = heads
        self._rows = rows
        self._agent = agent

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        """Conversations, those begun last first, and a cursor where there may be more. One storage operation.

        Raises:
            InvalidInput: the cursor is not one of ours.
        """
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InvalidInput("`cursor` is not one that an earlier page gave. Leave it out to begin anew.")
        after = None if cursor is None else LIST_PREFIX + cursor
        found = await self._rows.page(self._agent, LIST_PREFIX, after=after, limit=limit)
        following = found[-1][0].removeprefix(LIST_PREFIX) if len(found) == limit else None
        return [listed for _, listed in found], following

    async def page(
        self, conversation: str, *, limit: int = 50, cursor: int | None = None, order: Order = "newest"
    ) -> dict[str, Any]:
        """A page of a conversation.

        Args:
            conversation: Its id.
            limit: Entries at the most.
            cursor: Number of the entry that the page before said to go on from.
            order: From which end it is read.

        Returns:
            What a list says of it, with `summary`, the `entries` in that order, and `cursor` (None at the end).

        Raises:
            NotFound: nothing was ever said in it.
        """
        record = await self._record(conversation)
        newest = order == "newest"
        if newest:
            end = min(record.next if cursor is None else cursor + 1, record.next)
            start = max(record.first, end - limit)
        else:
            start = max(record.first, cursor or 0)
            end = min(record.next, start + limit)
        entries = [
            entry.to_json() for entry in await read_entries(_Rows(self._rows, self._agent), conversation, start, end)
        ]
        following = (start - 1 if start > record.first else None) if newest else (end if end < record.next else None)
        summary, listed = record.summary, record.listed()
        return {
            **listed,
            "summary": summary.to_json() if summary else None,
            "order": order,
            "total": listed["entries"],
            "entries": entries[::-1] if newest else entries,
            "cursor": following,
        }

    async def _record(self, conversation: str) -> Record:
        head = await self._heads.read(self._agent)
        kept = None
        if head is not None:
            kept = json.loads(head.state).get(CONVERSATIONS, {}).get("open", {}).get(conversation)
            kept = kept or json.loads(await self._rows.get(self._agent, shelf_key(conversation)) or b"null")
        if kept is None:
            raise NotFound(
                f"Agent {self._agent!r} has no conversation {conversation!r}. List its conversations to see which."
            )
        return Record(conversation, kept, ConversationLimits())
