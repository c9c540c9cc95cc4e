from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.local.servicebus.engine import (
    Bus,
    CorrelationFilter,
    EntityExists,
    EntityNotFound,
    EntityStatus,
    FalseFilter,
    Filter,
    FilterInvalid,
    Limits,
    Message,
    MessageState,
    NotPermitted,
    Queue,
    QuotaExceeded,
    RuleDescription,
    SqlAction,
    SqlFilter,
    SubscriptionDescription,
    Topic,
    TopicDescription,
    TrueFilter,
)
from tests.local.servicebus.engine.virtual import START, VirtualClock, bodies, drain, send


@pytest.fixture
def topic(bus: Bus) -> Topic:
    bus.create_topic(TopicDescription(name="events"))
    target = bus.target("events")
    assert isinstance(target, Topic)
    return target


def subscribe(bus: Bus, name: str, *rules: RuleDescription, **settings: Any) -> Queue:
    bus.create_subscription(SubscriptionDescription(topic="events", name=name, rules=tuple(rules) or None, **settings))
    return bus.source(f"events/Subscriptions/{name}")


def rule(expression: str, action: str | None = None, name: str = "r") -> RuleDescription:
    return RuleDescription(
        name=name,
        filter=SqlFilter(expression=expression),
        action=None if action is None else SqlAction(expression=action),
    )


def test_every_subscription_gets_its_own_copy(bus: Bus, topic: Topic) -> None:
    one, other = subscribe(bus, "one"), subscribe(bus, "other")
    got: list[str] = []
    other.when_ready(lambda: got.append("woken"))
    send(topic, "a", "b")
    assert got == ["woken"]
    first = one.receive(1)[0]
    one.dead_letter(first.lock_token, "bad")
    assert (drain(one), drain(other)) == (["b"], ["a", "b"])
    assert bus.source("events/subscriptions/one/$DeadLetterQueue").peek(0, 9)[0].dead_letter_source == one.path


def test_a_late_subscription_gets_later_messages_only(bus: Bus, topic: Topic) -> None:
    send(topic, "a")
    late = subscribe(bus, "late")
    send(topic, "b")
    assert drain(late) == ["b"]


def test_filters_choose(bus: Bus, topic: Topic) -> None:
    chosen: dict[str, Filter] = {
        "sql": SqlFilter(expression="quantity > @least AND color = 'blue'", parameters={"@least": 5}),
        "correlation": CorrelationFilter(subject="order", properties={"color": "red"}),
        "all": TrueFilter(),
        "none": FalseFilter(),
    }
    queues = {name: subscribe(bus, name, RuleDescription(name="r", filter=f)) for name, f in chosen.items()}
    send(topic, "many blue", application_properties={"quantity": 6, "color": "blue"})
    send(topic, "red", subject="order", application_properties={"Color": "red"})
    send(topic, "red, no order", application_properties={"color": "red"})
    assert {name: drain(queue) for name, queue in queues.items()} == {
        "sql": ["many blue"],
        "correlation": ["red"],
        "all": ["many blue", "red", "red, no order"],
        "none": [],
    }


@pytest.mark.parametrize(
    ("chosen", "passes"),
    [
        (CorrelationFilter(correlation_id="c"), True),
        (CorrelationFilter(correlation_id="C"), False),
        (CorrelationFilter(correlation_id="c", message_id="m", to="t", reply_to="r", subject="s"), True),
        (CorrelationFilter(session_id="x", reply_to_session_id="y", content_type="z"), True),
        (CorrelationFilter(correlation_id="c", message_id="other"), False),
        (CorrelationFilter(properties={"n": 1}), True),
        (CorrelationFilter(properties={"n": True}), False),
        (CorrelationFilter(properties={"n": "1"}), False),
        (CorrelationFilter(properties={"absent": "1"}), False),
    ],
)
def test_correlation_filters_compare_all_they_name(
    bus: Bus, topic: Topic, chosen: CorrelationFilter, passes: bool
) -> None:
    queue = subscribe(bus, "s", RuleDescription(name="r", filter=chosen))
    send(
        topic,
        "a",
        correlation_id="c",
        message_id="m",
        to="t",
        reply_to="r",
        subject="s",
        session_id="x",
        reply_to_session_id="y",
        content_type="z",
        application_properties={"n": 1},
    )
    assert drain(queue) == (["a"] if passes else [])


def test_rules_without_action_give_one_copy_those_with_one_each(bus: Bus, topic: Topic) -> None:
    queue = subscribe(
        bus,
        "s",
        rule("1=1", name="p1"),
        rule("1=1", "SET copy = 'first'", name="a1"),
        rule("n = 1", name="p2"),
        rule("n = 1", "SET copy = 'second'; REMOVE n", name="a2"),
        rule("n = 2", "SET copy = 'never'", name="a3"),
    )
    send(topic, "a", application_properties={"n": 1})
    found = [dict(delivery.message.application_properties) for delivery in queue.receive(9)]
    assert found == [
        {"n": 1},
        {"n": 1, "copy": "first", "RuleName": "a1"},
        {"copy": "second", "RuleName": "a2"},
    ]


def test_an_action_changes_its_copy_only(bus: Bus, topic: Topic) -> None:
    changed = subscribe(bus, "changed", rule("1=1", "SET sys.Label = 'new'; SET user.N = n + 1"))
    plain = subscribe(bus, "plain")
    send(topic, "a", subject="old", application_properties={"n": 1})
    (copy,) = changed.peek(0, 9)
    (original,) = plain.peek(0, 9)
    assert (copy.subject, copy.application_properties["n"], copy.modified) == ("new", 2, True)
    assert (original.subject, dict(original.application_properties), original.modified) == ("old", {"n": 1}, False)


def test_a_condition_that_fails_dead_letters_the_message(bus: Bus, topic: Topic) -> None:
    strict = subscribe(bus, "strict", rule("n / zero = 1"))
    lenient = subscribe(bus, "lenient", rule("n / zero = 1"), dead_letter_on_filter_error=False)
    send(topic, "a", application_properties={"n": 1, "zero": 0})
    send(topic, "b", application_properties={"n": 1, "zero": 1})
    assert (drain(strict), drain(lenient)) == (["b"], ["b"])
    (dead,) = strict.dead_letters.peek(0, 9)
    assert (dead.body, dead.dead_letter_reason) == (b"a", "FilterEvaluationException")
    assert lenient.dead_letters.peek(0, 9) == []


def test_rules_are_managed_at_run_time(bus: Bus, topic: Topic) -> None:
    queue = subscribe(bus, "s")
    assert [found.name for found in bus.rules("events", "s")] == ["$Default"]
    bus.create_rule("events", "s", rule("n = 1", name="One"))
    with pytest.raises(EntityExists):
        bus.create_rule("events", "s", rule("n = 1", name="one"))
    with pytest.raises(FilterInvalid):
        bus.create_rule("events", "s", rule("n = = 1", name="broken"))
    bus.delete_rule("events", "s", "$default")
    send(topic, "no", application_properties={"n": 2})
    bus.update_rule("events", "s", rule("n = 2", name="one"))
    send(topic, "yes", application_properties={"n": 2})
    assert drain(queue) == ["yes"]
    assert bus.subscription("events", "s").rules == (bus.rule("events", "s", "ONE"),)
    bus.delete_rule("events", "s", "one")
    send(topic, "nobody wants it", application_properties={"n": 2})
    assert drain(queue) == []
    with pytest.raises(EntityNotFound):
        bus.delete_rule("events", "s", "one")


def test_an_empty_correlation_filter_is_refused(bus: Bus, topic: Topic) -> None:
    with pytest.raises(FilterInvalid):
        subscribe(bus, "s", RuleDescription(name="r", filter=CorrelationFilter()))
    assert bus.subscriptions("events") == []


def test_a_topic_schedules_and_cancels(bus: Bus, clock: VirtualClock, topic: Topic) -> None:
    queue = subscribe(bus, "s")
    when = START + timedelta(hours=1)
    first, _ = topic.schedule([Message(b"a", scheduled_for=when), Message(b"b", scheduled_for=when)])
    assert [message.state for message in topic.peek(0, 9)] == [MessageState.SCHEDULED] * 2
    assert bus.statistics("events").scheduled == 2
    topic.cancel_scheduled([first])
    clock.move(bus, hours=1)
    assert drain(queue) == ["b"]
    assert topic.peek(0, 9) == []


def test_a_topic_detects_duplicates(bus: Bus) -> None:
    bus.create_topic(TopicDescription(name="events", requires_duplicate_detection=True))
    queue = subscribe(bus, "s")
    send(bus.target("events"), "a", "a", message_id="1")
    assert drain(queue) == ["a"]


def test_topic_and_subscription_both_cap_the_time_to_live(bus: Bus) -> None:
    bus.create_topic(TopicDescription(name="events", default_time_to_live=timedelta(minutes=5)))
    loose = subscribe(bus, "loose", default_time_to_live=timedelta(hours=1))
    tight = subscribe(bus, "tight", default_time_to_live=timedelta(minutes=1))
    send(bus.target("events"), "a")
    assert loose.peek(0, 1)[0].expires_at == START + timedelta(minutes=5)
    assert tight.peek(0, 1)[0].expires_at == START + timedelta(minutes=1)


def test_subscriptions_can_have_sessions(bus: Bus, topic: Topic) -> None:
    queue = subscribe(bus, "s", requires_session=True)
    send(topic, "a", session_id="x")
    send(topic, "none")
    assert bodies(queue.accept_session("x").receive(9)) == ["a"]
    assert [m.dead_letter_reason for m in queue.dead_letters.peek(0, 9)] == ["Session ID is null."]


def test_a_disabled_subscription_gets_nothing(bus: Bus, topic: Topic) -> None:
    subscribe(bus, "s")
    bus.update_subscription(SubscriptionDescription(topic="events", name="s", status=EntityStatus.DISABLED))
    send(topic, "a")
    assert bus.statistics("events/subscriptions/s").active == 0


def test_all_subscriptions_share_the_topics_size(clock: VirtualClock) -> None:
    bus = Bus(clock=clock, limits=Limits(max_message_bytes=2**21))
    bus.create_topic(TopicDescription(name="events", max_size_mb=1))
    one = subscribe(bus, "one")
    subscribe(bus, "other")
    send(bus.target("events"), "x" * 2**19)
    with pytest.raises(QuotaExceeded):
        send(bus.target("events"), "x")
    assert bus.statistics("events").size_bytes == 2**20
    drain(one)
    bus.delete_subscription("events", "other")
    assert bus.statistics("events").size_bytes == 0


def test_topics_are_not_received_from_nor_subscriptions_sent_to(bus: Bus, topic: Topic) -> None:
    queue = subscribe(bus, "s")
    with pytest.raises(NotPermitted, match="is a topic"):
        bus.source("events")
    with pytest.raises(NotPermitted):
        send(queue, "a")
    with pytest.raises(EntityNotFound):
        bus.target("events/subscriptions/s")


def test_a_deleted_topic_takes_its_subscriptions_along(bus: Bus, topic: Topic) -> None:
    queue = subscribe(bus, "s")
    bus.delete_topic("events")
    for use in (
        lambda: send(topic, "a"),
        lambda: queue.receive(1),
        lambda: bus.source("events/subscriptions/s"),
        lambda: topic.peek(0, 1),
    ):
        with pytest.raises(EntityNotFound):
            use()
