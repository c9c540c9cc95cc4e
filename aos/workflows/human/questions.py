"""Questions that messages wait for in agents' heads, in the same inbox as requests.

An event tells when one is asked; whether it is still open only the agent's head says, so that is where it is read.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aos.agents.directory import Directory
from aos.agents.tool_use import CONFIRM_TYPE, PEOPLE, Answer
from aos.kernel.address import is_address
from aos.kernel.errors import Conflict, InvalidInput, NotFound
from aos.kernel.heads import Heads
from aos.kernel.message import Message, format_time, parse_time
from aos.kernel.ports import Delete, Entity, TableStore, Upsert
from aos.kernel.turn import QUESTION_TYPE
from aos.workflows.human.action import action_digest
from aos.workflows.human.request import QUESTION_PREFIX, GivenAnswer
from aos.workflows.human.request_index import TABLE, milliseconds, place_of

PARTITION = "questions"
_ID = re.compile(r"q-(\d{1,14})-[0-9a-f]{16}")

log = logging.getLogger("aos.requests")


class Questions:
    """Finds the open questions of all agents, and answers those about tools."""

    def __init__(self, tables: TableStore, heads: Heads, directory: Directory) -> None:
        self._tables = tables
        self._heads = heads
        self._directory = directory

    async def note(self, event: Message) -> None:
        """Remember a question from its event on `aos.questions`; doing so twice changes nothing."""
        if event.type != QUESTION_TYPE or not is_address(event.source):
            return
        question = str(event.data["details"]["question"])
        place = place_of(event.time, _identity(event.source, question, event.time))
        values = {"agent": event.source, "question": question, "since": format_time(event.time)}
        await self._tables.commit(TABLE, [Upsert(Entity(PARTITION, place, values))])

    async def page(self, *, limit: int, after: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Open questions, newest first, with their places; those that were settled meanwhile are forgotten."""
        found: list[tuple[str, dict[str, Any]]] = []
        cursor: str | None = None
        while len(found) < limit:
            first = "" if after is None else f"{after} "
            page = await self._tables.scan(TABLE, PARTITION, first=first, limit=limit - len(found), cursor=cursor)
            looked_at = await asyncio.gather(*(self._look(entity) for entity in page.entities))
            found += [(entity.row, shown) for entity, shown in zip(page.entities, looked_at, strict=True) if shown]
            cursor = page.cursor
            if cursor is None:
                break
        return found

    async def show(self, identity: str) -> dict[str, Any]:
        """One question. Raises `NotFound` where it is not open any more."""
        shown = await self._find(identity)
        if shown is None:
            raise NotFound(f"There is no open question {identity!r}. It may have been answered, or have expired.")
        return shown

    async def answer(self, identity: str, given: GivenAnswer) -> tuple[str, str]:
        """Send an answer to the agent whose message waits for it.

        Returns:
            The agent, and the message's id.

        Raises:
            NotFound: the question is not open.
            InvalidInput: it is not one about a tool, or wants another kind of answer.
        """
        shown = await self.show(identity)
        asks = shown["asks"]
        if asks is None:
            raise InvalidInput(
                f"Question {identity!r} has no answer of a known kind. Send {shown['requester']!r} the message that "
                "answers it."
            )
        value = given.value if given.approved is None else given.approved
        if not isinstance(value, bool):
            raise InvalidInput(f"Question {identity!r} is whether the call was {asks}. Answer true or false.")
        if given.digest is not None and given.digest != shown["digest"]:
            raise InvalidInput("The answer is to another call. Look at the question again.", code="action_changed")
        fields = {"question": shown["question"], asks: value, "by": given.by, "comment": given.comment}
        data = Answer.model_validate(fields).model_dump(mode="json", exclude_none=True)
        return shown["requester"], await self._directory.send(shown["requester"], CONFIRM_TYPE, data, source=PEOPLE)

    async def _find(self, identity: str) -> dict[str, Any] | None:
        """A question's id tells when it was asked, and with that its place."""
        found = _ID.fullmatch(identity)
        if found is None:
            return None
        asked = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(found[1]))
        entity = await self._tables.get(TABLE, PARTITION, place_of(asked, identity))
        return await self._look(entity) if entity is not None else None

    async def _look(self, entity: Entity) -> dict[str, Any] | None:
        """The question as the head of its agent has it; None, and it is forgotten, where it is not open."""
        agent, question = str(entity.values["agent"]), str(entity.values["question"])
        head = await self._heads.read(agent)
        parked = head.parked.get(question) if head is not None else None
        if parked is not None and parked["since"] == entity.values["since"]:
            return _shown(agent, question, parked)
        try:
            await self._tables.commit(TABLE, [Delete(PARTITION, entity.row, entity.etag)])
        except Conflict:
            log.debug("another process forgot a settled question first", extra={"agent": agent})
        return None


def _identity(agent: str, question: str, asked: datetime) -> str:
    digest = hashlib.sha256(f"{agent}\n{question}".encode()).hexdigest()
    return f"{QUESTION_PREFIX}{milliseconds(asked)}-{digest[:16]}"


def _shown(agent: str, question: str, parked: Mapping[str, Any]) -> dict[str, Any]:
    """A question under the names of a request."""
    asked = parked["question"]
    details = asked["details"]
    call = {"tool": details.get("tool"), "arguments": details.get("arguments")}
    asks = details.get("asks")
    return {
        "id": _identity(agent, question, parse_time(parked["since"])),
        "kind": "approval" if asks else "question",
        "prompt": asked["message"],
        "status": "open",
        "audience": [],
        "requester": agent,
        "digest": action_digest(call if asks else details),
        "opened_at": parked["since"],
        "expires_at": parked.get("expires"),
        "closed_at": None,
        "answered_by": None,
        "approved": None,
        "asks": asks,
        "question": question,
        "action": {"what": call} if asks else None,
        "details": details,
    }
