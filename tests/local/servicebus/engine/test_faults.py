from __future__ import annotations

import pytest

from aos.local.servicebus.engine import (
    Bus,
    Fault,
    FaultKind,
    InjectedFault,
    MessageLockLost,
    ReceiveMode,
    ServerBusy,
    SessionLockLost,
)
from tests.local.servicebus.engine.virtual import bodies, drain, make_queue, one, send


def test_no_fault_is_in_force_by_default(bus: Bus) -> None:
    assert not bus.faults


def test_throttling_strikes_as_often_as_asked(bus: Bus) -> None:
    queue = make_queue(bus)
    bus.faults.add(Fault(kind=FaultKind.THROTTLE, entity="ORDERS", operation="send", times=2, skip=1))
    send(queue, "a")
    for _ in range(2):
        with pytest.raises(ServerBusy):
            send(queue, "b")
    send(queue, "c")
    assert drain(queue) == ["a", "c"]
    assert not bus.faults


def test_a_refusal_carries_its_condition(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    fault = bus.faults.add(
        Fault(kind=FaultKind.REFUSE, operation="receive", times=None, condition="amqp:unauthorized-access")
    )
    for _ in range(3):
        with pytest.raises(InjectedFault) as caught:
            queue.receive(1)
        assert caught.value.condition == "amqp:unauthorized-access"
    bus.faults.remove(fault)
    assert drain(queue) == ["a"]


def test_other_entities_and_operations_are_spared(bus: Bus) -> None:
    queue = make_queue(bus)
    bus.faults.add(Fault(kind=FaultKind.REFUSE, entity="elsewhere"))
    bus.faults.add(Fault(kind=FaultKind.REFUSE, operation="renew"))
    send(queue, "a")
    assert drain(queue) == ["a"]
    bus.faults.clear()
    assert not bus.faults


def test_a_lock_expires_just_before_it_is_used(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    bus.faults.add(Fault(kind=FaultKind.EXPIRE_LOCK, operation="settle"))
    with pytest.raises(MessageLockLost):
        queue.complete(one(queue).lock_token)
    again = one(queue)
    assert again.delivery_count == 1
    bus.faults.add(Fault(kind=FaultKind.EXPIRE_LOCK, operation="renew"))
    with pytest.raises(MessageLockLost):
        queue.renew(again.lock_token)


def test_a_lock_can_be_expired_by_hand(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    delivery = one(queue)
    queue.expire_lock(delivery.lock_token)
    queue.expire_lock(delivery.lock_token)
    assert bodies(queue.receive(1)) == ["a"]


def test_a_session_is_stolen_from_under_its_holder(bus: Bus) -> None:
    queue = make_queue(bus, requires_session=True)
    send(queue, "a", session_id="s")
    receiver = queue.accept_session("s")
    delivery = one(receiver)
    bus.faults.add(Fault(kind=FaultKind.STEAL_SESSION, operation="settle"))
    with pytest.raises(MessageLockLost):
        receiver.complete(delivery.lock_token)
    assert receiver.lost
    receiver = queue.accept_session("s")
    bus.faults.add(Fault(kind=FaultKind.STEAL_SESSION))
    with pytest.raises(SessionLockLost):
        receiver.renew()


def test_a_completed_message_is_delivered_once_more(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b")
    bus.faults.add(Fault(kind=FaultKind.DUPLICATE_DELIVERY, operation="settle"))
    queue.complete(one(queue).lock_token)
    again = one(queue)
    assert (again.message.body, again.message.sequence_number) == (b"a", 1)
    queue.complete(again.lock_token)
    assert drain(queue) == ["b"]


def test_receive_and_delete_can_deliver_twice_too(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    bus.faults.add(Fault(kind=FaultKind.DUPLICATE_DELIVERY, operation="receive"))
    assert bodies(queue.receive(1, ReceiveMode.RECEIVE_AND_DELETE)) == ["a"]
    assert drain(queue) == ["a"]
    assert queue.peek(0, 9) == []


def test_the_protocol_layer_asks_for_its_own_faults(bus: Bus) -> None:
    bus.faults.add(Fault(kind=FaultKind.DROP_CONNECTION, operation="attach"))
    assert bus.faults.take(FaultKind.DROP_CONNECTION, "orders", "open") is None
    assert bus.faults.take(FaultKind.DROP_CONNECTION, "orders", "attach") is not None
    assert bus.faults.take(FaultKind.DROP_CONNECTION, "orders", "attach") is None
