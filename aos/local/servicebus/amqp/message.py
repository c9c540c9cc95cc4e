"""A message's sections: taken apart without reading what nobody asks for, and put together again.

The bare message (properties, application properties, body) is the sender's and travels on byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.local.servicebus.amqp.composite import Composite, register
from aos.local.servicebus.amqp.decode import decode, skip
from aos.local.servicebus.amqp.encode import write
from aos.local.servicebus.amqp.errors import DecodeFault

BATCH_FORMAT = 0x80013700

HEADER = 0x70
DELIVERY_ANNOTATIONS = 0x71
ANNOTATIONS = 0x72
PROPERTIES = 0x73
APPLICATION_PROPERTIES = 0x74
DATA = 0x75
SEQUENCE = 0x76
VALUE = 0x77
FOOTER = 0x78


@dataclass(slots=True)
class Header(Composite):
    """What the broker may change on the way. `ttl` is in milliseconds."""

    durable: bool | None = None
    priority: int | None = None
    ttl: int | None = None
    first_acquirer: bool | None = None
    delivery_count: int | None = None


@dataclass(slots=True)
class Properties(Composite):
    """The standard properties. `group_id` is what Service Bus calls the session id."""

    message_id: Any = None
    user_id: bytes | None = None
    to: Any = None
    subject: str | None = None
    reply_to: Any = None
    correlation_id: Any = None
    content_type: str | None = None
    content_encoding: str | None = None
    absolute_expiry_time: int | None = None
    creation_time: int | None = None
    group_id: str | None = None
    group_sequence: int | None = None
    reply_to_group_id: str | None = None


for _kind, _code, _name, _kinds in (
    (Header, HEADER, "header", "boolean ubyte uint boolean uint"),
    (
        Properties,
        PROPERTIES,
        "properties",
        "any binary any string any any symbol symbol timestamp timestamp string uint string",
    ),
):
    _kind.CODE, _kind.NAME, _kind.KINDS = _code, _name, tuple(_kinds.split())
    register(_kind)


class Sections:
    """Where each section of an encoded message lies.

    Attributes:
        data: The whole encoded message.
        spans: Section code to (start, end), descriptor included; body sections are not among them.
        body_start: Where the first body section begins; body and footer run to the end.

    Raises:
        DecodeFault: the bytes are not a message.
    """

    __slots__ = ("body_start", "data", "spans")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.spans: dict[int, tuple[int, int]] = {}
        position, end, last = 0, len(data), 0
        self.body_start = end
        while position < end:
            code, value_start = _section(data, position)
            if code < last or (code == last and code not in (DATA, SEQUENCE)):
                raise DecodeFault("a message's sections are out of order")
            last = code
            after = skip(data, value_start)
            if code >= DATA:
                self.body_start = min(self.body_start, position)
            else:
                self.spans[code] = (position, after)
            position = after

    def raw(self, code: int) -> bytes:
        """One section's bytes, descriptor included; none if it is not there."""
        span = self.spans.get(code)
        return b"" if span is None else self.data[span[0] : span[1]]

    def header(self) -> Header | None:
        value = self._described(HEADER)
        return value if isinstance(value, Header) else None

    def properties(self) -> Properties | None:
        value = self._described(PROPERTIES)
        return value if isinstance(value, Properties) else None

    def map(self, code: int) -> dict[Any, Any]:
        """The map of an annotations or application properties section; empty if it is not there."""
        span = self.spans.get(code)
        if span is None:
            return {}
        value, _ = decode(self.data, _section(self.data, span[0])[1])
        if not isinstance(value, dict):
            raise DecodeFault(f"section {code:#x} is not a map")
        return value

    @property
    def body(self) -> bytes:
        """Body and footer sections as they were sent."""
        return self.data[self.body_start :]

    def _described(self, code: int) -> Any:
        span = self.spans.get(code)
        return None if span is None else decode(self.data, span[0])[0]


def body_sections(body: bytes) -> list[tuple[int, Any]]:
    """Code and value of each body section, footer left out.

    Raises:
        DecodeFault: the bytes are not body sections.
    """
    sections: list[tuple[int, Any]] = []
    position = 0
    while position < len(body):
        code, value_start = _section(body, position)
        value, position = decode(body, value_start)
        if code != FOOTER:
            sections.append((code, value))
    return sections


def data_section(payload: bytes) -> bytes:
    """`payload` as a body of one data section."""
    out = bytearray(b"\x00\x53\x75")
    write(out, payload)
    return bytes(out)


def value_section(value: Any) -> bytes:
    """`value` as a body of one value section."""
    out = bytearray(b"\x00\x53\x77")
    write(out, value)
    return bytes(out)


def write_map_section(out: bytearray, code: int, values: dict[Any, Any]) -> None:
    """Append an annotations or application properties section; nothing when there are no values."""
    if values:
        out += bytes((0, 0x53, code))
        write(out, values)


def encode_message(
    body: bytes,
    *,
    header: Header | None = None,
    annotations: dict[Any, Any] | None = None,
    properties: Properties | None = None,
    application_properties: dict[Any, Any] | None = None,
) -> bytes:
    """A whole message; `body` is encoded body sections."""
    out = bytearray()
    if header is not None:
        header.write_to(out)
    write_map_section(out, ANNOTATIONS, annotations or {})
    if properties is not None:
        properties.write_to(out)
    write_map_section(out, APPLICATION_PROPERTIES, application_properties or {})
    out += body
    return bytes(out)


def _section(data: bytes, position: int) -> tuple[int, int]:
    """Which section begins at `position`, and where its value does."""
    if data[position] != 0:
        raise DecodeFault("a message section has no descriptor")
    if data[position + 1 : position + 2] == b"\x53" and position + 2 < len(data):
        code = data[position + 2]
        start = position + 3
    else:
        descriptor, start = decode(data, position + 1)
        code = _SYMBOLIC.get(descriptor, -1) if isinstance(descriptor, str) else descriptor
    if not isinstance(code, int) or not HEADER <= code <= FOOTER:
        raise DecodeFault(f"{code!r} is not a message section")
    return code, start


_SYMBOLIC = {
    "amqp:header:list": HEADER,
    "amqp:delivery-annotations:map": DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": ANNOTATIONS,
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-sequence:list": SEQUENCE,
    "amqp:amqp-value:*": VALUE,
    "amqp:footer:map": FOOTER,
}
