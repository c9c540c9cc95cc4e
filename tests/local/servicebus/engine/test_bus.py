from __future__ import annotations

from datetime import timedelta

import pytest

from aos.local.servicebus.engine import (
    Bus,
    EntityExists,
    EntityNotFound,
    InvalidArgument,
    QueueDescription,
    RuleDescription,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
    Topology,
)
from tests.local.servicebus.engine.virtual import START, drain, send


def test_entities_are_created_listed_updated_and_deleted(bus: Bus) -> None:
    queue = bus.create_queue(QueueDescription(name="Orders"))
    assert bus.queues() == [queue] == [bus.queue("oRDERS")]
    changed = bus.update_queue(QueueDescription(name="orders", max_delivery_count=3))
    assert (changed.name, bus.queue("orders").max_delivery_count) == ("Orders", 3)
    topic = bus.create_topic(TopicDescription(name="Events"))
    assert bus.topics() == [topic]
    assert bus.update_topic(TopicDescription(name="events", user_metadata="x")).name == "Events"
    bus.create_subscription(SubscriptionDescription(topic="events", name="S"))
    updated = bus.update_subscription(SubscriptionDescription(topic="EVENTS", name="s", max_delivery_count=2))
    assert bus.subscriptions("events") == [updated]
    assert [found.name for found in updated.rules or ()] == ["$Default"]
    bus.delete_subscription("events", "s")
    bus.delete_topic("EVENTS")
    bus.delete_queue("ORDERS")
    assert (bus.queues(), bus.topics(), bus.all_statistics()) == ([], [], {})


def test_paths_are_case_insensitive(bus: Bus) -> None:
    bus.create_queue(QueueDescription(name="Orders/Large"))
    bus.create_topic(TopicDescription(name="Events"))
    bus.create_subscription(SubscriptionDescription(topic="Events", name="Router"))
    assert bus.target("orders/LARGE") is bus.source("/Orders/Large")
    assert bus.source("orders/large/$DEADLETTERQUEUE").path == "Orders/Large/$DeadLetterQueue"
    assert bus.source("EVENTS/subscriptions/ROUTER").path == "Events/Subscriptions/Router"
    transfer = bus.source("events/Subscriptions/router/$transfer/$deadletterqueue")
    assert transfer.path == "Events/Subscriptions/Router/$Transfer/$DeadLetterQueue"


def test_names_are_unique_over_queues_and_topics(bus: Bus) -> None:
    bus.create_queue(QueueDescription(name="a"))
    with pytest.raises(EntityExists):
        bus.create_topic(TopicDescription(name="A"))
    bus.create_topic(TopicDescription(name="t"))
    bus.create_subscription(SubscriptionDescription(topic="t", name="s"))
    with pytest.raises(EntityExists):
        bus.create_subscription(SubscriptionDescription(topic="t", name="S"))


def test_what_is_not_there_is_named(bus: Bus) -> None:
    bus.create_topic(TopicDescription(name="t"))
    for use in (
        lambda: bus.target("nope"),
        lambda: bus.source("nope"),
        lambda: bus.source("nope/$DeadLetterQueue"),
        lambda: bus.source("t/Subscriptions/nope"),
        lambda: bus.queue("nope"),
        lambda: bus.topic("nope"),
        lambda: bus.subscription("t", "nope"),
        lambda: bus.delete_queue("nope"),
        lambda: bus.create_subscription(SubscriptionDescription(topic="nope", name="s")),
    ):
        with pytest.raises(EntityNotFound, match="nope"):
            use()


@pytest.mark.parametrize(
    "description",
    [
        QueueDescription(name=""),
        QueueDescription(name="-a"),
        QueueDescription(name="a/"),
        QueueDescription(name="a b"),
        QueueDescription(name="a/$DeadLetterQueue"),
        QueueDescription(name="t/Subscriptions/s"),
        QueueDescription(name="x" * 261),
        QueueDescription(name="a", lock_duration=timedelta(0)),
        QueueDescription(name="a", lock_duration=timedelta(minutes=6)),
        QueueDescription(name="a", max_delivery_count=0),
        QueueDescription(name="a", default_time_to_live=timedelta(0)),
        QueueDescription(name="a", duplicate_detection_window=timedelta(days=8)),
        QueueDescription(name="a", max_size_mb=0),
        QueueDescription(name="a", max_message_kb=0),
    ],
)
def test_impossible_descriptions_are_refused(bus: Bus, description: QueueDescription) -> None:
    with pytest.raises(InvalidArgument):
        bus.create_queue(description)
    assert bus.queues() == []


def test_sessions_and_duplicate_detection_cannot_be_changed(bus: Bus) -> None:
    bus.create_queue(QueueDescription(name="a"))
    with pytest.raises(InvalidArgument, match="Sessions"):
        bus.update_queue(QueueDescription(name="a", requires_session=True))
    with pytest.raises(InvalidArgument, match="Duplicate detection"):
        bus.update_queue(QueueDescription(name="a", requires_duplicate_detection=True))


def test_applying_a_topology_twice_brings_it_up_to_date(bus: Bus) -> None:
    subscription = SubscriptionDescription(topic="t", name="s")
    first = Topology((QueueDescription(name="q"),), (TopicDescription(name="t"),), (subscription,))
    bus.apply(first)
    send(bus.target("q"), "kept")
    rule = RuleDescription(name="r", filter=SqlFilter(expression="n = 1"))
    bus.apply(
        Topology(
            (QueueDescription(name="q", max_delivery_count=2), QueueDescription(name="new")),
            (TopicDescription(name="t"),),
            (SubscriptionDescription(topic="t", name="s", rules=(rule,)),),
        )
    )
    assert [queue.name for queue in bus.queues()] == ["q", "new"]
    assert bus.queue("q").max_delivery_count == 2
    assert bus.rules("t", "s") == [rule]
    assert drain(bus.source("q")) == ["kept"]


def test_nothing_is_due_in_an_idle_bus(bus: Bus) -> None:
    assert bus.next_due() is None
    assert bus.now() == START


def test_an_earlier_deadline_is_announced(bus: Bus) -> None:
    bus.create_queue(QueueDescription(name="q"))
    calls: list[object] = []
    bus.on_earlier_due = lambda: calls.append(bus.next_due())
    send(bus.target("q"), "a", time_to_live=timedelta(hours=2))
    send(bus.target("q"), "b", time_to_live=timedelta(hours=3))
    send(bus.target("q"), "c", time_to_live=timedelta(hours=1))
    assert calls == [START + timedelta(hours=2), START + timedelta(hours=1)]


def test_a_queue_may_be_called_subscriptions(bus: Bus) -> None:
    bus.create_queue(QueueDescription(name="subscriptions"))
    assert bus.source("subscriptions").path == "subscriptions"
