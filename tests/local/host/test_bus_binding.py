from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from azure.functions.servicebus import ServiceBusMessageInConverter

from aos.local.host.bus_binding import bind, trace_of
from aos.local.host.function import BodyKind, BusTrigger
from aos.local.host.invoke import InvocationFailed
from aos.local.servicebus.client.received import ReceivedMessage

TIME = datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
TOKEN = UUID(int=7)


def _message(body: bytes, **more: Any) -> ReceivedMessage:
    facts: dict[str, Any] = {"sequence_number": 5, "delivery_count": 0, "enqueued_at": TIME, "message_id": "id"}
    return ReceivedMessage(body=body, **(facts | more))


def _trigger(kind: BodyKind, *, many: bool = False) -> BusTrigger:
    return BusTrigger("m", "C", "q", sessions=False, many=many, body_kind=kind, auto_complete=None)


@pytest.mark.parametrize("many", [False, True])
def test_a_message_has_all_its_properties(many: bool) -> None:
    message = _message(
        b"\xff body",
        lock_token=TOKEN,
        session_id="s",
        correlation_id="c",
        subject="sub",
        content_type="t/p",
        reply_to="r",
        reply_to_session_id="rs",
        to="to",
        partition_key="s",
        time_to_live=timedelta(hours=1),
        application_properties={"a": 1, "when": TIME, b"b".decode(): b"bytes"},
        dead_letter_reason="why",
        dead_letter_description="because",
        dead_letter_source="q0",
        enqueued_sequence_number=4,
    )
    bound = bind(_trigger("binary", many=many), [message])
    got = bound[0] if many else bound
    naive = TIME.replace(tzinfo=None)
    assert got.get_body() == b"\xff body"
    assert (got.message_id, got.session_id, got.correlation_id, got.subject) == ("id", "s", "c", "sub")
    assert (got.content_type, got.reply_to, got.reply_to_session_id, got.to) == ("t/p", "r", "rs", "to")
    assert (got.sequence_number, got.enqueued_sequence_number, got.lock_token) == (5, 4, str(TOKEN))
    assert (got.dead_letter_reason, got.dead_letter_error_description) == ("why", "because")
    assert got.application_properties == {"a": 1, "when": TIME.isoformat(), "b": "bytes"}
    assert (got.enqueued_time_utc, got.expires_at_utc) == (naive, naive + timedelta(hours=1))
    assert (got.delivery_count, got.locked_until) == (1, None)


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05.600000", "2026-01-02T03:04:05Z", "1/2/2026 3:04:05Z", "2026-13-02T03:04:05.600000"]
)
def test_a_body_that_hides_a_time_is_read_as_by_the_library(text: str) -> None:
    body = json.dumps({"EnqueuedTimeUtc": text}).encode()

    def read() -> Any:
        return bind(_trigger("string"), [_message(body)]).enqueued_time_utc

    try:
        expected = ServiceBusMessageInConverter._parse_datetime(text)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            read()
    else:
        assert read() == expected


def test_without_binary_members_of_a_json_body_hide_properties_as_in_azure() -> None:
    message = _message(b'{"subject": "body", "sessionid": "body"}', subject="real", session_id="real")
    hidden = bind(_trigger("undefined"), [message])
    assert (hidden.subject, hidden.session_id) == ("body", "body")
    kept = bind(_trigger("binary"), [message])
    assert (kept.subject, kept.session_id) == ("real", "real")


def test_empty_properties_of_a_batch_shift_as_in_azure() -> None:
    batch = [_message(b"1"), _message(b"2", correlation_id="second")]
    assert [got.correlation_id for got in bind(_trigger("binary", many=True), batch)] == ["second", None]


def test_one_body_that_is_not_json_fails_a_batch_without_a_data_type() -> None:
    good, bad = _message(b'{"a":   1}'), _message(b"no json")
    (parsed,) = bind(_trigger("undefined", many=True), [good])
    assert parsed.get_body() == b'{"a": 1}'
    with pytest.raises(InvocationFailed, match="BINARY"):
        bind(_trigger("undefined", many=True), [good, bad])
    assert [got.get_body() for got in bind(_trigger("string", many=True), [bad])] == [b"no json"]


def test_trace_context_comes_with_a_single_message() -> None:
    parent = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    message = _message(b"", application_properties={"traceparent": parent, "tracestate": "a=b"})
    trace = trace_of([message])
    assert trace is not None
    assert (trace.trace_parent, trace.trace_state) == (parent, "a=b")
    assert trace_of([message, message]) is None
    assert trace_of([_message(b"")]) is None
