from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.local.servicebus.amqp.errors import AmqpFault, DecodeFault, FramingFault
from aos.local.servicebus.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    Frame,
    FrameParser,
    ProtocolHeader,
    encode_frame,
    encode_transfers,
    parse_frame,
)
from aos.local.servicebus.amqp.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    Flow,
    Open,
    Transfer,
)
from aos.local.servicebus.amqp.terminus import (
    Accepted,
    AmqpError,
    Modified,
    Rejected,
    Released,
    Source,
    Target,
    error_of,
)
from aos.local.servicebus.amqp.types import Symbol

uint = st.integers(0, 2**32 - 1)
maybe = st.none() | uint
text = st.text(max_size=60)
info = st.dictionaries(text.map(lambda name: Symbol(name.encode("ascii", "ignore").decode())), text, max_size=3)
outcomes = st.one_of(
    st.just(Accepted()),
    st.just(Released()),
    st.builds(Rejected, st.none() | st.builds(AmqpError, st.just("amqp:internal-error"), text, info)),
    st.builds(Modified, st.booleans(), st.booleans(), st.none() | info),
)
performatives: st.SearchStrategy[Any] = st.one_of(
    st.builds(Open, text, st.none() | text, maybe, st.integers(0, 0xFFFF), maybe, properties=st.none() | info),
    st.builds(Begin, st.none() | st.integers(0, 0xFFFF), uint, uint, uint, maybe),
    st.builds(
        Attach,
        text,
        uint,
        st.booleans(),
        st.none() | st.integers(0, 2),
        st.none() | st.integers(0, 1),
        st.none() | st.builds(Source, text, filter=st.none() | info),
        st.none() | st.builds(Target, text),
        properties=st.none() | info,
    ),
    st.builds(Flow, maybe, uint, uint, uint, maybe, maybe, maybe, maybe, st.none() | st.booleans()),
    st.builds(Transfer, uint, maybe, st.none() | st.binary(max_size=32), maybe, st.none() | st.booleans()),
    st.builds(Disposition, st.booleans(), uint, maybe, st.none() | st.booleans(), st.none() | outcomes),
    st.builds(Detach, uint, st.none() | st.booleans(), st.none() | st.just(error_of("amqp:not-found", "x"))),
    st.builds(Close, st.none()),
)


@given(performatives, st.integers(0, 0xFFFF))
def test_a_frame_survives_the_wire(body: Any, channel: int) -> None:
    frame = parse_frame(encode_frame(body, channel))
    assert (frame.channel, frame.body) == (channel, body)


@given(st.lists(performatives, min_size=1, max_size=6), st.data())
def test_frames_are_found_however_the_stream_is_cut(bodies: list[Any], data: st.DataObject) -> None:
    stream = AMQP_HEADER + b"".join(encode_frame(body) + EMPTY_FRAME for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parser = FrameParser(65_536)
    found: list[Frame | ProtocolHeader] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found.extend(parser.feed(stream[start:end]))
    assert isinstance(found[0], ProtocolHeader)
    assert [item.body for item in found[1:] if isinstance(item, Frame) and item.body is not None] == bodies
    assert parser.buffered == 0


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_bytes_break_the_parser_or_fill_its_memory(chunks: list[bytes]) -> None:
    parser = FrameParser(512)
    try:
        list(parser.feed(AMQP_HEADER))
        for chunk in chunks:
            list(parser.feed(chunk))
            assert parser.buffered <= 512
    except AmqpFault:
        pass


@given(performatives, st.data())
def test_a_frame_with_wrong_bytes_is_read_or_refused(body: Any, data: st.DataObject) -> None:
    raw = bytearray(encode_frame(body))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(AmqpFault):
        parse_frame(bytes(raw))


@given(st.binary(max_size=5_000), st.integers(512, 2_000))
def test_a_large_delivery_is_cut_and_put_together(payload: bytes, limit: int) -> None:
    frames = encode_transfers(Transfer(1, 2, b"tag", 0, False, False), 3, payload, limit)
    assert all(len(frame) <= limit for frame in frames)
    parsed = [parse_frame(frame) for frame in frames]
    assert b"".join(frame.payload for frame in parsed) == payload
    transfers = [frame.body for frame in parsed if isinstance(frame.body, Transfer)]
    assert [bool(transfer.more) for transfer in transfers] == [True] * (len(frames) - 1) + [False]
    assert {transfer.delivery_id for transfer in transfers} == {2}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x00\x00\x00\x07\x02\x00\x00\x00", id="smaller than its own header"),
        pytest.param(b"\x7f\xff\xff\xff\x02\x00\x00\x00", id="two gigabytes"),
        pytest.param(b"\x00\x00\x00\x08\x01\x00\x00\x00", id="data inside of the header"),
        pytest.param(b"\x00\x00\x00\x08\x03\x00\x00\x00", id="data after the end"),
        pytest.param(b"\x00\x00\x00\x08\x02\x07\x00\x00", id="no such type"),
    ],
)
def test_what_is_not_a_frame_is_refused(raw: bytes) -> None:
    parser = FrameParser(65_536)
    list(parser.feed(AMQP_HEADER))
    with pytest.raises(FramingFault):
        list(parser.feed(raw))


def test_a_stream_that_does_not_begin_with_amqp_is_refused_at_once() -> None:
    with pytest.raises(FramingFault):
        list(FrameParser(512).feed(b"GET "))


def test_fields_of_the_wrong_type_missing_or_too_many_are_refused() -> None:
    frame = encode_frame(Begin(None, 0, 1, 1))
    with pytest.raises(DecodeFault, match="missing"):
        parse_frame(frame.replace(b"\x43", b"\x40", 1))
    with pytest.raises(DecodeFault, match="not a uint"):
        parse_frame(frame.replace(b"\x43", b"\x42", 1))
    with pytest.raises(DecodeFault, match="bytes after"):
        parse_frame(encode_frame(Begin(None, 0, 1, 1), payload=b"x"))


def test_all_fields_are_sent_absent_ones_as_null() -> None:
    # Clients of the 7.14 line read field lists by position without looking at their length.
    raw = encode_frame(Detach(1, True, error_of("amqp:not-found", "gone")))
    assert parse_frame(raw).body == Detach(1, True, AmqpError("amqp:not-found", "gone", {}))
    assert encode_frame(Attach("n", 0, False)).count(b"\x40") == 11
