"""The blocking SDK client against queues without sessions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType

from tests.local.servicebus.broker_thread import BrokerThread


class Line:
    """One queue with a sender and receivers that are opened once for the module."""

    def __init__(self, broker: BrokerThread, client: ServiceBusClient) -> None:
        self.name = broker.queue(max_delivery_count=3)
        self.sender: ServiceBusSender = client.get_queue_sender(self.name)
        self.receiver: ServiceBusReceiver = client.get_queue_receiver(self.name, max_wait_time=2)
        self.dead: ServiceBusReceiver = client.get_queue_receiver(
            self.name, sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=2
        )

        # Opening counts against the time of a first call, which some tests keep short.
        self.receiver.__enter__()

    def one(self) -> ServiceBusReceivedMessage:
        messages = self.receiver.receive_messages(1)
        assert len(messages) == 1
        return messages[0]

    def nothing(self) -> None:
        assert self.receiver.receive_messages(1, max_wait_time=0.1) == []


@pytest.fixture(scope="module")
def client(broker: BrokerThread) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client


@pytest.fixture(scope="module")
def line(broker: BrokerThread, client: ServiceBusClient) -> Line:
    return Line(broker, client)


def test_a_message_arrives_with_all_of_its_properties(line: Line) -> None:
    unique = uuid.uuid4()
    before = datetime.now(UTC) - timedelta(seconds=1)
    line.sender.send_messages(
        ServiceBusMessage(
            "the body",
            application_properties={
                "text": "ä",
                "number": 7,
                "big": 2**30,
                "real": 1.5,
                "yes": True,
                "id": unique,
            },
            message_id="m-1",
            content_type="text/plain",
            correlation_id="c-1",
            subject="greeting",
            to="somebody",
            reply_to="answers",
            reply_to_session_id="rs",
            partition_key="p",
            time_to_live=timedelta(minutes=5),
        )
    )
    message = line.one()
    assert str(message) == "the body"
    assert message.message_id == "m-1"
    assert message.content_type == "text/plain"
    assert message.correlation_id == "c-1"
    assert message.subject == "greeting"
    assert message.to == "somebody"
    assert message.reply_to == "answers"
    assert message.reply_to_session_id == "rs"
    assert message.partition_key == "p"
    assert message.time_to_live == timedelta(minutes=5)
    assert message.application_properties == {
        b"text": "ä".encode(),
        b"number": 7,
        b"big": 2**30,
        b"real": 1.5,
        b"yes": True,
        b"id": unique,
    }
    assert message.delivery_count == 0
    assert message.sequence_number
    assert message.enqueued_time_utc is not None
    assert before < message.enqueued_time_utc < datetime.now(UTC) + timedelta(seconds=1)
    assert message.locked_until_utc is not None
    assert message.locked_until_utc > message.enqueued_time_utc + timedelta(seconds=50)
    assert message.expires_at_utc == message.enqueued_time_utc + timedelta(minutes=5)
    assert message.state == ServiceBusMessageState.ACTIVE
    assert isinstance(message.lock_token, uuid.UUID)
    line.receiver.complete_message(message)
    line.nothing()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"value_body": {"a": [1, 2, "three"]}}, AmqpMessageBodyType.VALUE),
        ({"sequence_body": [[1, "two"], [3.0]]}, AmqpMessageBodyType.SEQUENCE),
        ({"data_body": [b"one", b"two"]}, AmqpMessageBodyType.DATA),
    ],
)
def test_every_kind_of_body_travels_unchanged(line: Line, body: dict[str, Any], kind: AmqpMessageBodyType) -> None:
    line.sender.send_messages(AmqpAnnotatedMessage(**body, annotations={"x-mine": "kept"}))
    message = line.one()
    assert message.raw_amqp_message.body_type == kind
    if kind is AmqpMessageBodyType.DATA:
        assert list(message.body) == [b"one", b"two"]
    elif kind is AmqpMessageBodyType.VALUE:
        assert message.body == {b"a": [1, 2, b"three"]}
    else:
        assert list(message.body) == [[1, b"two"], [3.0]]
    assert message.raw_amqp_message.annotations is not None
    assert message.raw_amqp_message.annotations[b"x-mine"] == b"kept"
    line.receiver.complete_message(message)


def test_a_batch_arrives_in_order(line: Line) -> None:
    batch = line.sender.create_message_batch()
    for number in range(20):
        batch.add_message(ServiceBusMessage(str(number)))
    line.sender.send_messages(batch)
    line.sender.send_messages([ServiceBusMessage(str(number)) for number in range(20, 25)])
    bodies: list[str] = []
    while len(bodies) < 25:
        for message in line.receiver.receive_messages(25):
            bodies.append(str(message))
            line.receiver.complete_message(message)
    assert bodies == [str(number) for number in range(25)]


def test_a_large_message_takes_many_frames_both_ways(line: Line) -> None:
    body = bytes(range(256)) * 3_500
    line.sender.send_messages(ServiceBusMessage(body))
    message = line.one()
    assert b"".join(message.body) == body
    line.receiver.complete_message(message)


def test_an_abandoned_message_returns_and_is_counted(line: Line) -> None:
    line.sender.send_messages(ServiceBusMessage("again"))
    for count in range(2):
        message = line.one()
        assert message.delivery_count == count
        line.receiver.abandon_message(message)
    message = line.one()
    assert message.delivery_count == 2
    line.receiver.complete_message(message)


def test_too_many_deliveries_make_a_dead_letter(line: Line) -> None:
    line.sender.send_messages(ServiceBusMessage("poison", application_properties={"kept": 1}))
    for _ in range(3):
        line.receiver.abandon_message(line.one())
    (dead,) = line.dead.receive_messages(1)
    assert str(dead) == "poison"
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.dead_letter_error_description
    assert dead.application_properties is not None
    assert dead.application_properties[b"kept"] == 1
    line.dead.complete_message(dead)
    line.nothing()


def test_a_message_is_dead_lettered_with_its_reason(line: Line) -> None:
    line.sender.send_messages(ServiceBusMessage("bad"))
    line.receiver.dead_letter_message(line.one(), reason="malformed", error_description="no such field")
    (dead,) = line.dead.receive_messages(1)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("malformed", "no such field")
    line.dead.complete_message(dead)
    assert line.dead.receive_messages(1, max_wait_time=0.1) == []


def test_a_deferred_message_comes_by_its_number_only(line: Line) -> None:
    line.sender.send_messages(ServiceBusMessage("later"))
    message = line.one()
    number = message.sequence_number
    assert number is not None
    line.receiver.defer_message(message)
    line.nothing()
    (peeked,) = line.receiver.peek_messages(1, sequence_number=number)
    assert peeked.state == ServiceBusMessageState.DEFERRED
    (deferred,) = line.receiver.receive_deferred_messages(number)
    assert str(deferred) == "later"
    line.receiver.complete_message(deferred)
    assert line.receiver.peek_messages(1, sequence_number=number) == []


def test_a_deferred_message_can_be_dead_lettered_and_abandoned(line: Line) -> None:
    line.sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    numbers = []
    for _ in range(2):
        message = line.one()
        numbers.append(message.sequence_number or 0)
        line.receiver.defer_message(message)
    first, second = line.receiver.receive_deferred_messages(numbers)
    line.receiver.abandon_message(first)
    line.receiver.dead_letter_message(second, reason="why", error_description="because")
    (again,) = line.receiver.receive_deferred_messages(numbers[0])
    assert again.delivery_count == 1
    line.receiver.complete_message(again)
    (dead,) = line.dead.receive_messages(1)
    assert dead.dead_letter_reason == "why"
    line.dead.complete_message(dead)


def test_scheduled_messages_appear_when_due_and_can_be_cancelled(line: Line) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1)
    (number,) = line.sender.schedule_messages(ServiceBusMessage("soon"), due)
    numbers = line.sender.schedule_messages(
        [ServiceBusMessage("never"), ServiceBusMessage("never too")], due + timedelta(hours=1)
    )
    (peeked,) = line.receiver.peek_messages(1, sequence_number=number)
    assert peeked.state == ServiceBusMessageState.SCHEDULED
    assert peeked.scheduled_enqueue_time_utc is not None
    assert abs(peeked.scheduled_enqueue_time_utc - due) < timedelta(milliseconds=2)
    line.sender.cancel_scheduled_messages(numbers)
    message = line.one()
    assert str(message) == "soon"
    assert datetime.now(UTC) >= due - timedelta(milliseconds=5)
    line.receiver.complete_message(message)
    assert line.receiver.peek_messages(10, sequence_number=1) == []


def test_the_schedule_of_a_plain_send_is_honoured(line: Line) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.5)
    line.sender.send_messages(ServiceBusMessage("x", scheduled_enqueue_time_utc=due))
    line.nothing()
    line.receiver.complete_message(line.one())
    assert datetime.now(UTC) >= due - timedelta(milliseconds=5)


def test_peek_pages_without_taking(line: Line) -> None:
    line.sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    first = line.receiver.peek_messages(3, sequence_number=1)
    assert first[-1].sequence_number is not None
    rest = line.receiver.peek_messages(10, sequence_number=first[-1].sequence_number + 1)
    assert [str(message) for message in [*first, *rest]] == ["0", "1", "2", "3", "4"]
    taken = 0
    while taken < 5:
        for message in line.receiver.receive_messages(5):
            line.receiver.complete_message(message)
            taken += 1


def test_a_lock_is_renewed(line: Line) -> None:
    line.sender.send_messages(ServiceBusMessage("held"))
    message = line.one()
    before = message.locked_until_utc
    renewed = line.receiver.renew_message_lock(message)
    assert before is not None
    assert renewed >= before
    assert renewed > datetime.now(UTC) + timedelta(seconds=50)
    line.receiver.complete_message(message)


@pytest.fixture
def fresh(broker: BrokerThread, client: ServiceBusClient) -> Line:
    """A queue of its own: a receiver that once asked on the shared one may still be given messages."""
    return Line(broker, client)


def test_receive_and_delete_needs_no_settlement(client: ServiceBusClient, fresh: Line) -> None:
    fresh.sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    with client.get_queue_receiver(fresh.name, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        bodies: list[str] = []
        while len(bodies) < 2:
            messages = receiver.receive_messages(2, max_wait_time=2)
            assert all(message.lock_token is None for message in messages)
            bodies += [str(message) for message in messages]
    assert bodies == ["a", "b"]
    fresh.nothing()


def test_prefetch_and_iteration(client: ServiceBusClient, fresh: Line) -> None:
    fresh.sender.send_messages([ServiceBusMessage(str(number)) for number in range(50)])
    with client.get_queue_receiver(fresh.name, prefetch_count=20, max_wait_time=1) as receiver:
        bodies = []
        for message in receiver:
            bodies.append(str(message))
            receiver.complete_message(message)
            if len(bodies) == 50:
                break
    assert bodies == [str(number) for number in range(50)]


def test_what_a_closing_receiver_did_not_take_is_given_back_uncounted(client: ServiceBusClient, fresh: Line) -> None:
    fresh.sender.send_messages([ServiceBusMessage("one"), ServiceBusMessage("two")])
    with client.get_queue_receiver(fresh.name, prefetch_count=10, max_wait_time=2) as receiver:
        (first,) = receiver.receive_messages(1)
        receiver.complete_message(first)
    message = fresh.one()
    assert (str(message), message.delivery_count) == ("two", 0)
    fresh.receiver.complete_message(message)


def test_an_expired_message_is_a_dead_letter_or_gone(broker: BrokerThread, client: ServiceBusClient) -> None:
    kept = broker.queue(dead_letter_on_expiration=True)
    dropped = broker.queue()
    for name in (dropped, kept):
        client.get_queue_sender(name).send_messages(ServiceBusMessage("brief", time_to_live=timedelta(seconds=1)))
    dead = client.get_queue_receiver(kept, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    (letter,) = dead.receive_messages(1, max_wait_time=5)
    assert letter.dead_letter_reason == "TTLExpiredException"
    dead.complete_message(letter)
    for name in (kept, dropped):
        assert broker.call(broker.bus.statistics, name).active == 0


def test_a_duplicate_within_the_window_is_accepted_and_dropped(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue(requires_duplicate_detection=True)
    sender = client.get_queue_sender(name)
    sender.send_messages([ServiceBusMessage("a", message_id="1"), ServiceBusMessage("b", message_id="2")])
    sender.send_messages(ServiceBusMessage("a again", message_id="1"))
    assert broker.call(broker.bus.statistics, name).active == 2


def test_a_dead_letter_that_was_forwarded_tells_where_it_died(broker: BrokerThread, client: ServiceBusClient) -> None:
    graveyard = broker.queue()
    name = broker.queue(forward_dead_lettered_to=graveyard, max_delivery_count=1)
    client.get_queue_sender(name).send_messages(ServiceBusMessage("x"))
    receiver = client.get_queue_receiver(name, max_wait_time=5)
    receiver.dead_letter_message(receiver.receive_messages(1)[0], reason="r")
    (letter,) = client.get_queue_receiver(graveyard, max_wait_time=5).receive_messages(1)
    assert (letter.dead_letter_reason, letter.dead_letter_source) == ("r", name)
