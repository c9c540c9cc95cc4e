from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.kernel.errors import MalformedMessage
from aos.kernel.message import Message

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_an_envelope_is_cloudevents_and_comes_back_the_same() -> None:
    message = Message(
        id="m1",
        source="/api",
        type="review.requested",
        time=NOON,
        to="code",
        data={"a": [1, None, "ü"]},
        conversation_id="task:1",
        correlation_id="r1",
        causation_id="c1",
        reply_to="task:1",
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        priority=9,
        deadline=NOON,
        attempt=3,
    )
    envelope = message.to_json()
    assert envelope["specversion"] == "1.0"
    assert envelope["datacontenttype"] == "application/json"
    assert Message.decode(message.encode()) == message


def test_attributes_without_a_value_are_left_out() -> None:
    envelope = Message(id="m", source="s", type="t", time=NOON).to_json()
    assert set(envelope) == {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "specversion"),
        (b'{"specversion":"1.0","source":"s","type":"t","time":"2026-01-01T00:00:00Z"}', "`id`"),
        (b'{"specversion":"1.0","id":"i","source":"s","type":"t","time":"yesterday"}', "`time`"),
        (b'{"specversion":"1.0","id":"i","source":"s","type":"t","time":"2026-01-01T00:00:00"}', "zone"),
        (b'{"specversion":"1.0","id":"i","source":"s","type":"t","time":"2026-01-01T00:00:00Z","priority":11}', "10"),
        (b'{"specversion":"1.0","id":"i","source":"s","type":"t","time":"2026-01-01T00:00:00Z","to":7}', "`to`"),
    ],
)
def test_what_is_no_envelope_is_refused_with_what_is_wrong(body: bytes, said: str) -> None:
    with pytest.raises(MalformedMessage, match=said):
        Message.decode(body)


def test_an_id_too_long_for_the_bus_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="128"):
        Message.decode(Message(id="x" * 129, source="s", type="t", time=NOON).encode())


def test_a_retry_is_the_same_message_but_another_delivery() -> None:
    first = Message(id="m", source="s", type="t", time=NOON)
    again = first.next_attempt()
    assert again.id == first.id
    assert again.dedupe_key != first.dedupe_key


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_clearly_and_never_crash_the_reader(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Message.decode(body)
