"""Messages of one entity by sequence number, in order, for peeking and for finding one again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from aos.local.servicebus.engine.message import Message

_SLACK = 1024


class MessageLog:
    """Gives sequence numbers and keeps the messages that have them until they are removed."""

    __slots__ = ("_messages", "_order", "last_number")

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}
        # Ascending; holds numbers of removed messages until they outnumber the others.
        self._order: list[int] = []
        self.last_number = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def get(self, sequence_number: int) -> Message | None:
        return self._messages.get(sequence_number)

    def append(self, message: Message) -> None:
        """Number the message and keep it."""
        number = self.last_number + 1
        self.last_number = number
        message.sequence_number = number
        if not message.enqueued_sequence_number:
            message.enqueued_sequence_number = number
        self._messages[number] = message
        self._order.append(number)

    def restore(self, message: Message) -> None:
        """Keep a message that has its number, the highest so far."""
        self.last_number = message.sequence_number
        self._messages[message.sequence_number] = message
        self._order.append(message.sequence_number)

    def remove(self, sequence_number: int) -> None:
        messages = self._messages
        del messages[sequence_number]
        if len(self._order) > 2 * len(messages) + _SLACK:
            self._order = list(messages)

    def peek(self, start: int, limit: int, session_id: str | None) -> list[Message]:
        """Up to `limit` messages from number `start` on, of one session if one is given."""
        found: list[Message] = []
        order = self._order
        for position in range(bisect_left(order, start), len(order)):
            if len(found) >= limit:
                break
            message = self._messages.get(order[position])
            if message is not None and (session_id is None or message.session_id == session_id):
                found.append(message)
        return found
