"""Where an agent's conversations are in a turn: those in use in its state, the others each in a row of their own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aos.agents.conversations.entry import age_key, list_key, shelf_key
from aos.agents.conversations.limits import ConversationLimits
from aos.agents.conversations.record import Record
from aos.agents.turn import Turn
from aos.kernel.errors import NotAllowedNow
from aos.kernel.message import format_time, parse_time

CONVERSATIONS = "aos.conversations"
"""Member of an agent's stored state that holds its open conversations. No field of a model can have this name."""

SUMMARISE = "aos.conversation.summarise"
EXPIRE = "aos.conversation.expire"
_REMINDER = "aos.conversations"
_PATIENCE = timedelta(hours=1)
"""After which a message of ours that brought nothing is taken for lost, and sent again."""


class Shelf:
    """The conversations of the agent whose turn it is."""

    def __init__(self, turn: Turn, limits: ConversationLimits) -> None:
        self._turn = turn
        self._home = turn.state
        self.limits = limits

    @property
    def _kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = self._turn.state.setdefault(CONVERSATIONS, {"open": {}, "expires": None})
        return kept

    async def take(self, id: str) -> Record:
        """A conversation as it stands; an empty one where nothing was said in it yet."""
        kept = self._turn.state.get(CONVERSATIONS, {}).get("open", {}).get(id)
        if kept is None:
            kept = await self._turn.rows.get(shelf_key(id))
        return Record(id, kept if kept is not None else Record.new(self._turn.now), self.limits)

    def refresh(self, record: Record) -> Record:
        """The record as another `Conversation` of the same turn may have left it."""
        record.kept = self._turn.state.get(CONVERSATIONS, {}).get("open", {}).get(record.id, record.kept)
        return record

    def open(self, record: Record) -> None:
        """Put a conversation in which something was said among those in use, and list it."""
        self.check_open()
        kept = self._kept
        kept["open"].pop(record.id, None)
        kept["open"][record.id] = record.kept
        self._make_room(record)
        self.list(record)

    def save(self, record: Record) -> None:
        """Keep what was changed in a conversation where it is."""
        self.check_open()
        if record.id not in self._kept["open"]:
            self._turn.rows.put(shelf_key(record.id), record.kept)
        self.list(record)

    def list(self, record: Record) -> None:
        self._turn.rows.put(list_key(record.id, record.created), record.listed())

    def age(self, record: Record) -> None:
        """Have the oldest entry of a conversation found when its time has come."""
        if record.oldest is not None:
            self._turn.rows.put(age_key(record.id, record.oldest), {"conversation": record.id})

    def ask_for_summary(self, record: Record) -> None:
        """Send the agent a message to summarise what the window has no room for, unless one is on its way."""
        if record.due() == record.summarised or not self._is_lost(record.kept["folding"]):
            return
        self.send_for_summary(record)

    def send_for_summary(self, record: Record) -> None:
        record.kept["folding"] = format_time(self._turn.now)
        self._turn.send(self._turn.agent, SUMMARISE, {"conversation": record.id}, priority=1)

    def watch_age(self, record: Record) -> None:
        """Have the agent woken when its oldest entry is to be deleted."""
        if self.limits.keep_for is None or record.oldest is None:
            return
        due, known = record.oldest + self.limits.keep_for, self._kept["expires"]
        if known is None or due < parse_time(known) or self._is_lost(known):
            self.remind_of_age(due)

    def remind_of_age(self, due: datetime | None) -> None:
        self._kept["expires"] = format_time(due) if due else None
        if due is not None:
            self._turn.remind(_REMINDER, EXPIRE, at=due)

    def _make_room(self, current: Record) -> None:
        """Put conversations that were not used for long into their rows."""
        opened = self._kept["open"]
        sizes = {id: Record(id, kept, self.limits).size for id, kept in opened.items()}
        for id in [id for id in opened if id != current.id]:
            if len(opened) <= self.limits.max_open and sum(sizes.values()) <= self.limits.max_open_bytes:
                return
            self._turn.rows.put(shelf_key(id), opened.pop(id))
            del sizes[id]

    def _is_lost(self, since: str | None) -> bool:
        return since is None or parse_time(since) + _PATIENCE < self._turn.now

    def check_open(self) -> None:
        """Raise `NotAllowedNow` where the turn is over, and what is written would be lost."""
        if self._turn.state is not self._home:
            raise NotAllowedNow(
                f"A conversation of {self._turn.agent!r} can be written only in a turn of the agent while its handler "
                "runs. Send the agent a message, and write there."
            )
