from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given

from aos.local.servicebus.amqp.errors import DecodeFault
from aos.local.servicebus.amqp.message import (
    ANNOTATIONS,
    APPLICATION_PROPERTIES,
    BATCH_FORMAT,
    Header,
    Properties,
    Sections,
    data_section,
    encode_message,
    value_section,
)
from aos.local.servicebus.amqp.types import Decimal, Int, Symbol, Timestamp, UInt
from aos.local.servicebus.engine import InvalidArgument
from aos.local.servicebus.server.translation import incoming, outgoing
from tests.local.servicebus.amqp.values import values

FOUR_MONTHS = Properties(creation_time=Timestamp(0), absolute_expiry_time=Timestamp(10**10))


@given(values)
def test_the_bare_message_travels_byte_for_byte(value: Any) -> None:
    sent = encode_message(
        value_section(value),
        header=Header(durable=True, priority=7),
        annotations={Symbol("x-mine"): "kept"},
        properties=Properties(message_id=uuid4(), subject="s"),
        application_properties={"n": UInt(1)},
    )
    (message,) = incoming(sent, 0)
    before, after = Sections(sent), Sections(outgoing(message))
    assert after.raw(0x73) == before.raw(0x73)
    assert after.raw(APPLICATION_PROPERTIES) == before.raw(APPLICATION_PROPERTIES)
    assert after.body == before.body
    header = after.header()
    assert header is not None
    assert (header.durable, header.priority, header.delivery_count) == (True, 7, 0)
    assert after.map(ANNOTATIONS)["x-mine"] == "kept"


def test_a_changed_message_keeps_the_types_of_what_did_not_change() -> None:
    unique, decimal = uuid4(), Decimal(b"\x22\x34\x00\x01")
    sent = encode_message(
        data_section(b"x"),
        properties=Properties(message_id=unique, subject="before"),
        application_properties={"n": Int(1), "at": Timestamp(5_000), "decimal": decimal},
    )
    (message,) = incoming(sent, 0)
    assert message.message_id == str(unique)
    assert message.application_properties == {"n": 1, "at": datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)}
    message.subject = "after"
    message.application_properties = {**message.application_properties, "new": "x"}
    message.modified = True
    sections = Sections(outgoing(message))
    properties = sections.properties()
    assert properties is not None
    assert (properties.message_id, properties.subject) == (unique, "after")
    found = sections.map(APPLICATION_PROPERTIES)
    assert found == {"n": 1, "at": 5_000, "decimal": decimal, "new": "x"}
    assert (type(found["n"]), type(found["at"])) == (Int, Timestamp)


def test_a_batch_is_taken_apart() -> None:
    batch = b"".join(data_section(encode_message(data_section(bytes([number])))) for number in range(3))
    assert [message.body for message in incoming(batch, BATCH_FORMAT)] == [
        data_section(bytes([number])) for number in range(3)
    ]


@pytest.mark.parametrize(
    ("header", "properties", "lives"),
    [
        (Header(ttl=1500), None, timedelta(seconds=1.5)),
        (
            None,
            FOUR_MONTHS,
            timedelta(seconds=10**7),
        ),
        (
            Header(ttl=2**32 - 1),
            FOUR_MONTHS,
            timedelta(seconds=10**7),
        ),
        (None, Properties(creation_time=Timestamp(0), absolute_expiry_time=Timestamp(2**62)), None),
        (None, None, None),
    ],
)
def test_how_long_a_message_lives(
    header: Header | None, properties: Properties | None, lives: timedelta | None
) -> None:
    (message,) = incoming(encode_message(data_section(b""), header=header, properties=properties), 0)
    assert message.time_to_live == lives


def test_lists_and_maps_are_no_application_properties() -> None:
    with pytest.raises(InvalidArgument, match="'tags'"):
        incoming(encode_message(data_section(b""), application_properties={"tags": [1]}), 0)


@pytest.mark.parametrize(
    "payload",
    [
        data_section(b"x") + b"\x00\x53\x73\x45",
        b"\x00\x53\x74\x45" + data_section(b"x"),
        b"\x00\x53\x79\x40",
        b"\x40",
        encode_message(data_section(b""), annotations={Symbol("x-opt-scheduled-enqueue-time"): "soon"}),
        encode_message(data_section(b""), properties=Properties(message_id=[1])),
    ],
)
def test_what_is_not_a_message_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeFault):
        incoming(payload, 0)
