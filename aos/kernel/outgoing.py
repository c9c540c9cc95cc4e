"""Messages a turn has decided to send: buffered while it runs, kept in its journal entry, published after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aos.kernel.address import is_address
from aos.kernel.json_text import to_bytes
from aos.kernel.message import Message, format_time, parse_time
from aos.kernel.ports import OutboundMessage

QUEUE_SCHEME = "queue:"
IN_JOURNAL = "journal:"
"""As `reply_to`: the answer is only put on record, for a sender without a mailbox who reads it there."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out: where it goes, when, and its body as a JSON value."""

    entity: str
    body: dict[str, Any]
    session: str | None = None
    at: datetime | None = None
    content_type: str = "application/cloudevents+json"

    def record(self, message_id: str) -> dict[str, Any]:
        """As the journal keeps it."""
        record: dict[str, Any] = {"entity": self.entity, "id": message_id, "body": self.body}
        if self.session is not None:
            record["session"] = self.session
        if self.at is not None:
            record["at"] = format_time(self.at)
        if self.content_type != "application/cloudevents+json":
            record["content_type"] = self.content_type
        return record


def outbound(record: dict[str, Any]) -> OutboundMessage:
    """A journaled record as the message for the bus."""
    body = record["body"]
    return OutboundMessage(
        entity=record["entity"],
        body=to_bytes(body),
        message_id=record["id"],
        session_id=record.get("session"),
        subject=body.get("type"),
        correlation_id=body.get("correlationid"),
        content_type=record.get("content_type", "application/cloudevents+json"),
        scheduled_at=parse_time(record["at"]) if "at" in record else None,
    )


def awaits_answer(message: Message) -> bool:
    """Whether its sender can be told what became of it. A `reply_to` that names nothing is no reason to fail."""
    reply_to = message.reply_to or ""
    known = len(reply_to) > len(QUEUE_SCHEME) if reply_to.startswith(QUEUE_SCHEME) else is_address(reply_to)
    return known and not message.is_reply


def to_mailbox(inbox: str, message: Message, *, at: datetime | None = None) -> Outgoing:
    return Outgoing(inbox, message.to_json(), session=message.to, at=at)
