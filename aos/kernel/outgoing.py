"""Messages a turn has decided to send: buffered while it runs, kept in its journal entry, published after it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aos.kernel.message import Message, format_time, parse_time
from aos.kernel.ports import OutboundMessage


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
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        message_id=record["id"],
        session_id=record.get("session"),
        subject=body.get("type"),
        correlation_id=body.get("correlationid"),
        content_type=record.get("content_type", "application/cloudevents+json"),
        scheduled_at=parse_time(record["at"]) if "at" in record else None,
    )


def to_mailbox(inbox: str, message: Message, *, at: datetime | None = None) -> Outgoing:
    return Outgoing(inbox, message.to_json(), session=message.to, at=at)
