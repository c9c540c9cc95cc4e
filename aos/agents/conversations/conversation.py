"""A conversation as an agent has it in a turn: it appends, looks at the window, and asks models with what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aos.agents.conversations.entry import ROLES, Entry, Role, Summary, change_key, entry_key, tokens_of
from aos.agents.conversations.reading import read_entries
from aos.agents.conversations.record import Record
from aos.agents.conversations.shelf import Shelf
from aos.agents.turn import Turn
from aos.kernel.errors import InvalidInput
from aos.kernel.message import check_labels

if TYPE_CHECKING:
    from aos.llm.messages import ChatMessage


class Conversation:
    """One conversation of the agent whose turn it is; `Agent.conversation(turn)` gives it.

    What is appended is committed with the turn. Reading marks the turn with the labels of what was read.
    """

    def __init__(self, turn: Turn, record: Record, shelf: Shelf) -> None:
        self._turn = turn
        self._known = record
        self._shelf = shelf

    @property
    def _record(self) -> Record:
        return self._shelf.refresh(self._known)

    @property
    def id(self) -> str:
        return self._known.id

    def __len__(self) -> int:
        """How many entries it ever had."""
        return self._record.next

    @property
    def window(self) -> list[Entry]:
        """The newest entries, oldest first, as corrections have left them."""
        window = self._record.window
        self._turn.label(*{label for entry in window for label in entry.labels})
        return window

    @property
    def summary(self) -> Summary | None:
        """The running summary of what is not in the window any more."""
        summary = self._record.summary
        if summary is not None:
            self._turn.label(*summary.labels)
        return summary

    def append(
        self,
        content: str,
        *,
        role: Role = "user",
        who: str | None = None,
        labels: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Add what was said.

        Args:
            content: The text.
            role: On whose side: `user`, `assistant` (the agent itself), `system` or `tool`.
            who: Who said it; by default the agent itself for `assistant`, and the message's sender for others.
            labels: What is to be known of it, besides what is known of the turn.
            meta: JSON of the author's own.

        Raises:
            InvalidInput: there is no such role, or a label has another shape.
            NotAllowedNow: the turn is over.
        """
        return self._add(content, role, who, labels, meta or {})

    def correct(self, number: int, content: str, *, labels: Iterable[str] = ()) -> Entry:
        """Put another text in the place of an entry's. The entry stays as it is; this is a new one that names it.

        Raises:
            InvalidInput: there is no such entry.
            NotAllowedNow: the turn is over.
        """
        self._expect(number)
        return self._add(content, "user", self._turn.message.source, labels, {}, corrects=number)

    def redact(self, number: int, reason: str = "") -> Entry:
        """Take an entry's content back: no window, no summary and no history shows it any more.

        The row stays until its time is over, as the journal does. Raises as `correct`.
        """
        self._expect(number)
        return self._add(reason, "system", self._turn.message.source, (), {}, redacts=number)

    def messages(self, system: str | None = None) -> tuple[ChatMessage, ...]:
        """Summary and window as messages for a model, after the `system` instructions.

        What others said is told apart by name where there are several. The summary is given as something said to the
        model, not as an instruction: outsiders' words are in it.
        """
        from aos.llm.messages import ChatMessage

        said = [] if system is None else [ChatMessage.system(system)]
        summary, window = self.summary, self.window
        if summary is not None:
            said.append(ChatMessage.user(f"What was said before, in short:\n{summary.text}"))
        shown = [entry for entry in window if self._is_shown(entry, window)]
        while shown and shown[0].role == "assistant" and summary is None:
            # Several providers want somebody else to have the first word.
            shown.pop(0)
        names = {entry.who for entry in shown if entry.role == "user"}
        return (*said, *(_as_message(entry, named=len(names) > 1) for entry in shown))

    async def page(self, *, before: int | None = None, limit: int = 50) -> list[Entry]:
        """Entries below number `before` (the newest without it), oldest first. Two storage operations."""
        end = self._record.next if before is None else min(before, self._record.next)
        found = await read_entries(self._turn.rows, self.id, max(self._record.first, end - limit), end)
        self._turn.label(*{label for entry in found for label in entry.labels})
        return found

    def _add(
        self,
        content: str,
        role: Role,
        who: str | None,
        labels: Iterable[str],
        meta: Mapping[str, Any],
        *,
        corrects: int | None = None,
        redacts: int | None = None,
    ) -> Entry:
        if role not in ROLES:
            raise InvalidInput(f"{role!r} is no role in a conversation. There are: {', '.join(sorted(ROLES))}.")
        self._shelf.check_open()
        turn, record = self._turn, self._record
        entry = Entry(
            number=record.next,
            role=role,
            who=who or (turn.agent if role == "assistant" else turn.message.source),
            content=content,
            time=turn.now,
            message_id=turn.message.id,
            labels=check_labels({*turn.labels, *labels}),
            tokens=tokens_of(content),
            meta=dict(meta),
            corrects=corrects,
            redacts=redacts,
        )
        is_first = record.oldest is None
        record.add(entry)
        record.change(entry)
        self._shelf.open(record)
        turn.rows.put(entry_key(self.id, entry.number), entry.to_json())
        changed = redacts if redacts is not None else corrects
        if changed is not None:
            turn.rows.put(change_key(self.id, changed), {"by": entry.number, "redacted": redacts is not None})
        if is_first:
            self._shelf.age(record)
        self._shelf.watch_age(record)
        self._shelf.ask_for_summary(record)
        return entry

    def _expect(self, number: int) -> None:
        if not self._record.first <= number < self._record.next:
            raise InvalidInput(
                f"Conversation {self.id!r} has no entry {number}; it has {self._record.first} to "
                f"{self._record.next - 1}."
            )

    def _is_shown(self, entry: Entry, window: list[Entry]) -> bool:
        """Redactions and what they concern are not shown, nor is a correction whose entry shows it already."""
        if entry.redacts is not None or entry.redacted_by is not None:
            return False
        return entry.corrects is None or entry.corrects < window[0].number


def _as_message(entry: Entry, *, named: bool) -> ChatMessage:
    from aos.llm.messages import ChatMessage

    text = entry.content if entry.corrects is None else f"Correction of what was said before: {entry.content}"
    if entry.role == "assistant":
        return ChatMessage.assistant(text)
    if entry.role == "system" and not entry.labels:
        return ChatMessage.system(text)
    if entry.role == "tool":
        return ChatMessage.user(f"Result of a tool ({entry.who}):\n{text}")
    return ChatMessage.user(f"{entry.who}: {text}" if named else text)
