"""Queues, topics and subscriptions as the service's XML descriptions, with their runtime counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement

from aos.local.servicebus.administration.atom import SERVICE_BUS
from aos.local.servicebus.administration.fields import Fields, put
from aos.local.servicebus.administration.rules_xml import read_rule
from aos.local.servicebus.engine import (
    DEFAULT_RULE,
    EntityStatus,
    InvalidArgument,
    QueueDescription,
    SubscriptionDescription,
    TopicDescription,
)
from aos.local.servicebus.engine.duration import format_duration
from aos.local.servicebus.shared_access import path_of

if TYPE_CHECKING:
    from aos.local.servicebus.engine import EntityStatistics

_COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
_DEFAULT_MAX_MESSAGE_KB = 1024


def queue_element(queue: QueueDescription, counts: EntityStatistics) -> Element:
    """A `QueueDescription` document."""
    element = _element("QueueDescription")
    put(element, "LockDuration", queue.lock_duration)
    put(element, "MaxSizeInMegabytes", queue.max_size_mb)
    put(element, "RequiresDuplicateDetection", queue.requires_duplicate_detection)
    put(element, "RequiresSession", queue.requires_session)
    put(element, "DefaultMessageTimeToLive", format_duration(queue.default_time_to_live))
    put(element, "DeadLetteringOnMessageExpiration", queue.dead_letter_on_expiration)
    put(element, "DuplicateDetectionHistoryTimeWindow", queue.duplicate_detection_window)
    put(element, "MaxDeliveryCount", queue.max_delivery_count)
    put(element, "EnableBatchedOperations", True)
    put(element, "SizeInBytes", counts.size_bytes)
    _put_message_count(element, counts)
    put(element, "Status", queue.status.value)
    put(element, "ForwardTo", queue.forward_to)
    put(element, "UserMetadata", queue.user_metadata)
    _put_counts(element, counts)
    put(element, "EnablePartitioning", False)
    put(element, "EntityAvailabilityStatus", "Available")
    put(element, "ForwardDeadLetteredMessagesTo", queue.forward_dead_lettered_to)
    put(element, "MaxMessageSizeInKilobytes", queue.max_message_kb or _DEFAULT_MAX_MESSAGE_KB)
    return element


def topic_element(topic: TopicDescription, counts: EntityStatistics, subscriptions: int) -> Element:
    """A `TopicDescription` document."""
    element = _element("TopicDescription")
    put(element, "DefaultMessageTimeToLive", format_duration(topic.default_time_to_live))
    put(element, "MaxSizeInMegabytes", topic.max_size_mb)
    put(element, "RequiresDuplicateDetection", topic.requires_duplicate_detection)
    put(element, "DuplicateDetectionHistoryTimeWindow", topic.duplicate_detection_window)
    put(element, "EnableBatchedOperations", True)
    put(element, "SizeInBytes", counts.size_bytes)
    put(element, "Status", topic.status.value)
    put(element, "UserMetadata", topic.user_metadata)
    _put_counts(element, counts)
    put(element, "SubscriptionCount", subscriptions)
    put(element, "EnablePartitioning", False)
    put(element, "EntityAvailabilityStatus", "Available")
    put(element, "MaxMessageSizeInKilobytes", topic.max_message_kb or _DEFAULT_MAX_MESSAGE_KB)
    return element


def subscription_element(subscription: SubscriptionDescription, counts: EntityStatistics) -> Element:
    """A `SubscriptionDescription` document."""
    element = _element("SubscriptionDescription")
    put(element, "LockDuration", subscription.lock_duration)
    put(element, "RequiresSession", subscription.requires_session)
    put(element, "DefaultMessageTimeToLive", format_duration(subscription.default_time_to_live))
    put(element, "DeadLetteringOnMessageExpiration", subscription.dead_letter_on_expiration)
    put(element, "DeadLetteringOnFilterEvaluationExceptions", subscription.dead_letter_on_filter_error)
    _put_message_count(element, counts)
    put(element, "MaxDeliveryCount", subscription.max_delivery_count)
    put(element, "EnableBatchedOperations", True)
    put(element, "Status", subscription.status.value)
    put(element, "ForwardTo", subscription.forward_to)
    put(element, "UserMetadata", subscription.user_metadata)
    _put_counts(element, counts)
    put(element, "ForwardDeadLetteredMessagesTo", subscription.forward_dead_lettered_to)
    put(element, "EntityAvailabilityStatus", "Available")
    return element


def read_queue(element: Element, before: QueueDescription) -> QueueDescription:
    """What a client asks of a queue; what it does not mention stays as `before` has it."""
    fields = _checked(element, "QueueDescription")
    return replace(
        before,
        lock_duration=fields.duration("LockDuration", before.lock_duration),
        max_size_mb=fields.number("MaxSizeInMegabytes", before.max_size_mb),
        requires_duplicate_detection=fields.switch(
            "RequiresDuplicateDetection", default=before.requires_duplicate_detection
        ),
        requires_session=fields.switch("RequiresSession", default=before.requires_session),
        default_time_to_live=fields.time_to_live("DefaultMessageTimeToLive", before.default_time_to_live),
        dead_letter_on_expiration=fields.switch(
            "DeadLetteringOnMessageExpiration", default=before.dead_letter_on_expiration
        ),
        duplicate_detection_window=fields.duration(
            "DuplicateDetectionHistoryTimeWindow", before.duplicate_detection_window
        ),
        max_delivery_count=fields.number("MaxDeliveryCount", before.max_delivery_count),
        status=_status(fields, before.status),
        forward_to=_destination(fields, "ForwardTo"),
        forward_dead_lettered_to=_destination(fields, "ForwardDeadLetteredMessagesTo"),
        user_metadata=fields.text("UserMetadata") or "",
        max_message_kb=fields.optional_number("MaxMessageSizeInKilobytes") or before.max_message_kb,
    )


def read_topic(element: Element, before: TopicDescription) -> TopicDescription:
    """As `read_queue`, of a topic."""
    fields = _checked(element, "TopicDescription")
    return replace(
        before,
        max_size_mb=fields.number("MaxSizeInMegabytes", before.max_size_mb),
        requires_duplicate_detection=fields.switch(
            "RequiresDuplicateDetection", default=before.requires_duplicate_detection
        ),
        default_time_to_live=fields.time_to_live("DefaultMessageTimeToLive", before.default_time_to_live),
        duplicate_detection_window=fields.duration(
            "DuplicateDetectionHistoryTimeWindow", before.duplicate_detection_window
        ),
        status=_status(fields, before.status),
        user_metadata=fields.text("UserMetadata") or "",
        max_message_kb=fields.optional_number("MaxMessageSizeInKilobytes") or before.max_message_kb,
    )


def read_subscription(element: Element, before: SubscriptionDescription) -> SubscriptionDescription:
    """As `read_queue`, of a subscription; its first rule may come with it."""
    fields = _checked(element, "SubscriptionDescription")
    first = fields.child("DefaultRuleDescription")
    rules = before.rules if first is None else (read_rule(first.element, first.text("Name") or DEFAULT_RULE),)
    return replace(
        before,
        lock_duration=fields.duration("LockDuration", before.lock_duration),
        requires_session=fields.switch("RequiresSession", default=before.requires_session),
        default_time_to_live=fields.time_to_live("DefaultMessageTimeToLive", before.default_time_to_live),
        dead_letter_on_expiration=fields.switch(
            "DeadLetteringOnMessageExpiration", default=before.dead_letter_on_expiration
        ),
        dead_letter_on_filter_error=fields.switch(
            "DeadLetteringOnFilterEvaluationExceptions", default=before.dead_letter_on_filter_error
        ),
        max_delivery_count=fields.number("MaxDeliveryCount", before.max_delivery_count),
        status=_status(fields, before.status),
        forward_to=_destination(fields, "ForwardTo"),
        forward_dead_lettered_to=_destination(fields, "ForwardDeadLetteredMessagesTo"),
        user_metadata=fields.text("UserMetadata") or "",
        rules=rules,
    )


def kind_of(element: Element) -> str:
    """`QueueDescription`, `TopicDescription`, ..."""
    return element.tag.rpartition("}")[2]


def _element(name: str) -> Element:
    return Element(f"{{{SERVICE_BUS}}}{name}")


def _checked(element: Element, name: str) -> Fields:
    if kind_of(element) != name:
        raise InvalidArgument(f"The document holds a {kind_of(element)}, where a {name} belongs.")
    return Fields(element)


def _status(fields: Fields, default: EntityStatus) -> EntityStatus:
    value = fields.text("Status")
    if value is None:
        return default
    try:
        return EntityStatus(value)
    except ValueError:
        known = ", ".join(status.value for status in EntityStatus)
        raise InvalidArgument(f"{value!r} is not a status: use one of {known}.") from None


def _destination(fields: Fields, name: str) -> str | None:
    value = fields.text(name)
    return path_of(value) or None if value else None


def _put_message_count(element: Element, counts: EntityStatistics) -> None:
    total = counts.active + counts.deferred + counts.scheduled
    put(element, "MessageCount", total + counts.dead_letter + counts.transfer_dead_letter)


def _put_counts(element: Element, counts: EntityStatistics) -> None:
    details = SubElement(element, f"{{{SERVICE_BUS}}}CountDetails")
    for name, value in (
        # The service counts deferred messages as active.
        ("ActiveMessageCount", counts.active + counts.deferred),
        ("DeadLetterMessageCount", counts.dead_letter),
        ("ScheduledMessageCount", counts.scheduled),
        ("TransferMessageCount", 0),
        ("TransferDeadLetterMessageCount", counts.transfer_dead_letter),
    ):
        SubElement(details, f"{{{_COUNTS}}}{name}").text = str(value)
