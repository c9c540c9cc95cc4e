"""Answers for those who have no mailbox: the agent keeps them in its journal, where the caller looks for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aos.kernel.journal import Journal, JournalEntry
from aos.kernel.turn import ERROR_TYPE, REPLY_FACT

HELD_FACT = "reply.held"
"""A fact: the message is answered in a later turn."""

_PAGE = 100
_MOST_TURNS = 1_000


async def answer_of(journal: Journal, entry: JournalEntry, message_id: str) -> dict[str, Any]:
    """What a message was answered by the turn that applied it, or by one of the next 1,000 where it held the answer.

    Returns:
        `answer`, or `error` where that is the answer; `answer_pending` where the agent is going to answer; nothing for
        a message that is not answered, or was sent by somebody with a mailbox.
    """
    found = _answer_in([entry], message_id)
    if found or not _is(entry, HELD_FACT, message_id):
        return found
    after = entry.version
    while after < entry.version + _MOST_TURNS:
        later = await journal.entries(entry.agent, after=after, limit=_PAGE)
        found = _answer_in(later, message_id)
        if found:
            return found
        if len(later) < _PAGE:
            break
        after = later[-1].version
    return {"answer_pending": True}


def _answer_in(entries: Iterable[JournalEntry], message_id: str) -> dict[str, Any]:
    for entry in entries:
        for fact in entry.facts:
            if fact["kind"] == REPLY_FACT and fact.get("request") == message_id:
                return {"error" if fact["type"] == ERROR_TYPE else "answer": fact["data"]}
    return {}


def _is(entry: JournalEntry, kind: str, message_id: str) -> bool:
    return any(fact["kind"] == kind and fact.get("request") == message_id for fact in entry.facts)
