"""The envelope of everything that wakes an agent: CloudEvents 1.0 in structured JSON, with AOS's extensions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aos.kernel.errors import InvalidInput, MalformedMessage
from aos.kernel.json_text import to_bytes

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json"

RESUBMITTED = "again-"
"""Begins the id of a message that was a dead letter and is sent again."""

MAX_LABELS = 32
_LABEL = re.compile(r"[a-z0-9][a-z0-9._:/@+-]{0,99}")

MAX_ID = 128
"""Service Bus limits a message id and a session id to 128 characters."""

_TEXT_FIELDS = {
    "to": "to",
    "subject": "subject",
    "conversationid": "conversation_id",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
    "replyto": "reply_to",
    "traceparent": "traceparent",
    "topic": "topic",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        id: Unique for its source; what deduplication compares, together with `attempt`.
        source: Who sent it: an agent's address, or a URI of something outside.
        type: What it means, dotted and lower-case: `review.requested`.
        time: When it was made (UTC).
        data: Its JSON payload.
        to: Address of the agent it is for; empty on a topic event that has not been routed.
        subject: What it is about.
        topic: On an event published to whoever wants it, the topic.
        conversation_id: The exchange it belongs to, kept by everything that follows from it.
        correlation_id: On a reply, the id of the request.
        causation_id: Id of the message whose handling sent this one.
        reply_to: Where a reply is expected: an agent's address, `queue:<name>`, or `journal:`
            for one that is only put on record.
        traceparent: W3C trace context.
        priority: 1 (least) to 10 (most); 5 is usual.
        deadline: After this moment (UTC) it is no longer of use.
        attempt: 1 for the first try; each retry after a back-off adds one.
        labels: What is to be known about its content, such as `untrusted:web`; whatever follows from it has them too.
    """

    id: str
    source: str
    type: str
    time: datetime
    data: Any = None
    to: str = ""
    subject: str | None = None
    topic: str | None = None
    conversation_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None
    priority: int = 5
    deadline: datetime | None = None
    attempt: int = 1
    labels: frozenset[str] = frozenset()

    @property
    def dedupe_key(self) -> str:
        """What tells this delivery from any other: a retry is the same message, but another attempt."""
        return f"{self.source}\n{self.id}\n{self.attempt}"

    @property
    def first_id(self) -> str:
        """Its id, or the one it had before it was a dead letter: what paid steps are known by."""
        if self.causation_id is not None and self.id.startswith(RESUBMITTED):
            return self.causation_id
        return self.id

    @property
    def is_reply(self) -> bool:
        return self.correlation_id is not None

    def next_attempt(self) -> Message:
        return replace(self, attempt=self.attempt + 1)

    def to_json(self) -> dict[str, Any]:
        """The envelope as a JSON object; attributes without a value are left out."""
        envelope: dict[str, Any] = {
            "specversion": SPEC_VERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": format_time(self.time),
        }
        for key, attribute in _TEXT_FIELDS.items():
            value = getattr(self, attribute)
            if value:
                envelope[key] = value
        if self.priority != 5:
            envelope["priority"] = self.priority
        if self.deadline is not None:
            envelope["deadline"] = format_time(self.deadline)
        if self.attempt != 1:
            envelope["attempt"] = self.attempt
        if self.labels:
            envelope["labels"] = " ".join(sorted(self.labels))
        envelope["datacontenttype"] = "application/json"
        envelope["data"] = self.data
        return envelope

    def encode(self) -> bytes:
        return to_bytes(self.to_json())

    @classmethod
    def decode(cls, body: bytes) -> Message:
        """Read an envelope.

        Raises:
            MalformedMessage: the bytes are not a CloudEvents envelope; the message names what is wrong.
        """
        try:
            envelope = json.loads(body)
        except ValueError as error:
            raise MalformedMessage(f"The message is not JSON ({error}). Send a CloudEvents 1.0 envelope.") from error
        return cls.from_json(envelope)

    @classmethod
    def from_json(cls, envelope: Any) -> Message:
        """Read an envelope from a JSON object. Raises `MalformedMessage`."""
        if not isinstance(envelope, dict):
            raise MalformedMessage("The message is not a JSON object. Send a CloudEvents 1.0 envelope.")
        if envelope.get("specversion") != SPEC_VERSION:
            raise MalformedMessage('The message has no `specversion` of "1.0". Send a CloudEvents 1.0 envelope.')
        values: dict[str, Any] = {name: _text(envelope, name) for name in ("id", "source", "type")}
        if len(values["id"]) > MAX_ID:
            raise MalformedMessage(f"`id` is longer than {MAX_ID} characters. Choose a shorter one.")
        for key, attribute in _TEXT_FIELDS.items():
            if envelope.get(key) is not None:
                values[attribute] = _text(envelope, key)
        values["time"] = _time(envelope, "time")
        values["deadline"] = _time(envelope, "deadline") if envelope.get("deadline") else None
        values["priority"] = _number(envelope, "priority", default=5, least=1, most=10)
        values["attempt"] = _number(envelope, "attempt", default=1, least=1, most=1_000)
        if envelope.get("labels") is not None:
            values["labels"] = _labels(envelope)
        return cls(data=envelope.get("data"), **values)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, microseconds kept: `2026-01-31T09:30:00.000001Z`."""
    return moment.isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read what `format_time` wrote. Raises ValueError for anything without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment


def check_labels(labels: Iterable[str]) -> frozenset[str]:
    """Labels as a message carries them: lower-case words, at most `MAX_LABELS`.

    Where there are more, only their roots are kept (`untrusted` of `untrusted:web`): what they warn of is not lost.

    Raises:
        InvalidInput: one has another shape, or there are too many roots.
    """
    given = frozenset(labels)
    for label in given:
        if not _LABEL.fullmatch(label):
            raise InvalidInput(
                f"{label!r} cannot be a label. Use lower-case letters, digits and . _ : / @ + - ; at most 100."
            )
    if len(given) <= MAX_LABELS:
        return given
    roots = frozenset(label.partition(":")[0] for label in given)
    if len(roots) > MAX_LABELS:
        raise InvalidInput(f"There are {len(roots)} kinds of labels, more than {MAX_LABELS}. Use fewer kinds.")
    return roots


def _labels(envelope: dict[str, Any]) -> frozenset[str]:
    try:
        return check_labels(_text(envelope, "labels").split())
    except InvalidInput as error:
        raise MalformedMessage(f"`labels` is wrong: {error.message}") from error


def _text(envelope: dict[str, Any], name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedMessage(f"`{name}` must be a non-empty string, not {value!r}.")
    return value


def _time(envelope: dict[str, Any], name: str) -> datetime:
    value = envelope.get(name)
    try:
        return parse_time(value)  # type: ignore[arg-type]  # anything but text is refused below
    except (TypeError, ValueError) as error:
        raise MalformedMessage(f"`{name}` must be an RFC 3339 time with a zone, not {value!r}.") from error


def _number(envelope: dict[str, Any], name: str, *, default: int, least: int, most: int) -> int:
    value = envelope.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise MalformedMessage(f"`{name}` must be a whole number from {least} to {most}, not {value!r}.")
    return value
