"""What a description may say, checked when an entity is created or updated."""

from __future__ import annotations

import re
from datetime import timedelta

from aos.local.servicebus.engine.description import QueueDescription, SubscriptionDescription, TopicDescription
from aos.local.servicebus.engine.errors import InvalidArgument

_NAME = re.compile(r"[A-Za-z0-9](?:[\w\-./~]*[A-Za-z0-9_])?", re.ASCII)
_MAX_LOCK = timedelta(minutes=5)
_MAX_WINDOW = timedelta(days=7)


def check_queue(description: QueueDescription, before: QueueDescription | None = None) -> None:
    """Raises InvalidArgument."""
    _check_name(description.name, 260)
    _check_duplicates(description, before)
    _check_delivery(description, before, description.name)


def check_topic(description: TopicDescription, before: TopicDescription | None = None) -> None:
    """Raises InvalidArgument."""
    _check_name(description.name, 260)
    _check_duplicates(description, before)
    _check_positive("default_time_to_live", description.default_time_to_live)


def check_subscription(description: SubscriptionDescription, before: SubscriptionDescription | None = None) -> None:
    """Raises InvalidArgument."""
    _check_name(description.name, 50)
    _check_delivery(description, before, f"{description.topic}/Subscriptions/{description.name}")


def _check_name(name: str, longest: int) -> None:
    if len(name) > longest or not _NAME.fullmatch(name) or "/subscriptions/" in name.lower():
        raise InvalidArgument(
            f"{name!r} is not an entity name: up to {longest} letters, digits, '.', '-', '_' and '/', "
            "beginning and ending with a letter or a digit."
        )


def _check_duplicates(
    description: QueueDescription | TopicDescription, before: QueueDescription | TopicDescription | None
) -> None:
    if not timedelta(0) < description.duplicate_detection_window <= _MAX_WINDOW:
        raise InvalidArgument("duplicate_detection_window must be over 0 and at most 7 days.")
    if description.max_size_mb < 1:
        raise InvalidArgument("max_size_mb must be at least 1.")
    if description.max_message_kb is not None and description.max_message_kb < 1:
        raise InvalidArgument("max_message_kb must be at least 1.")
    if before is not None and before.requires_duplicate_detection != description.requires_duplicate_detection:
        raise InvalidArgument(f"Duplicate detection of {description.name!r} cannot be changed: make it anew.")


def _check_delivery(
    description: QueueDescription | SubscriptionDescription,
    before: QueueDescription | SubscriptionDescription | None,
    path: str,
) -> None:
    if not timedelta(0) < description.lock_duration <= _MAX_LOCK:
        raise InvalidArgument("lock_duration must be over 0 and at most 5 minutes.")
    if description.max_delivery_count < 1:
        raise InvalidArgument("max_delivery_count must be at least 1.")
    _check_positive("default_time_to_live", description.default_time_to_live)
    if before is not None and before.requires_session != description.requires_session:
        raise InvalidArgument(f"Sessions of {path!r} cannot be switched on or off: make it anew.")
    if description.forward_to is not None and description.requires_session:
        raise InvalidArgument(f"{path!r} requires sessions: its messages cannot be forwarded.")
    for destination in (description.forward_to, description.forward_dead_lettered_to):
        if destination is not None and destination.strip("/").lower() == path.lower():
            raise InvalidArgument(f"{path!r} cannot forward to itself.")


def _check_positive(name: str, value: timedelta | None) -> None:
    if value is not None and value <= timedelta(0):
        raise InvalidArgument(f"{name} must be over 0.")
