"""What an entity is configured to be: the properties of queues, topics, subscriptions and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from aos.local.servicebus.engine.message import PropertyValue

DEFAULT_RULE = "$Default"


class EntityStatus(Enum):
    ACTIVE = "Active"
    DISABLED = "Disabled"
    SEND_DISABLED = "SendDisabled"
    RECEIVE_DISABLED = "ReceiveDisabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDescription:
    """A queue. `default_time_to_live` None means for ever; sizes are in megabytes and kilobytes."""

    name: str
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: int = 10
    default_time_to_live: timedelta | None = None
    dead_letter_on_expiration: bool = False
    requires_session: bool = False
    requires_duplicate_detection: bool = False
    duplicate_detection_window: timedelta = timedelta(minutes=10)
    forward_to: str | None = None
    forward_dead_lettered_to: str | None = None
    max_size_mb: int = 1024
    max_message_kb: int | None = None
    status: EntityStatus = EntityStatus.ACTIVE
    user_metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDescription:
    """A topic."""

    name: str
    default_time_to_live: timedelta | None = None
    requires_duplicate_detection: bool = False
    duplicate_detection_window: timedelta = timedelta(minutes=10)
    max_size_mb: int = 1024
    max_message_kb: int | None = None
    status: EntityStatus = EntityStatus.ACTIVE
    user_metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFilter:
    """A condition in the service's SQL; `parameters` are the values of `@name` in it."""

    expression: str
    parameters: Mapping[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationFilter:
    """Equality on any of these; None is not compared. `properties` are application properties."""

    correlation_id: str | None = None
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    subject: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrueFilter:
    """Every message."""


@dataclass(frozen=True, slots=True)
class FalseFilter:
    """No message."""


Filter = SqlFilter | CorrelationFilter | TrueFilter | FalseFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAction:
    """`SET` and `REMOVE` statements applied to the copy of a message that the rule let in."""

    expression: str
    parameters: Mapping[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDescription:
    """One rule of a subscription."""

    name: str
    filter: Filter = field(default_factory=TrueFilter)
    action: SqlAction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionDescription:
    """A subscription of `topic`. `rules` None means the one default rule, which lets everything in."""

    topic: str
    name: str
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: int = 10
    default_time_to_live: timedelta | None = None
    dead_letter_on_expiration: bool = False
    dead_letter_on_filter_error: bool = True
    requires_session: bool = False
    forward_to: str | None = None
    forward_dead_lettered_to: str | None = None
    status: EntityStatus = EntityStatus.ACTIVE
    user_metadata: str = ""
    rules: tuple[RuleDescription, ...] | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """All entities of a namespace, as read from a configuration file."""

    queues: tuple[QueueDescription, ...] = ()
    topics: tuple[TopicDescription, ...] = ()
    subscriptions: tuple[SubscriptionDescription, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the whole namespace allows. Message size is in bytes, `max_hops` counts forwards."""

    max_message_bytes: int = 1024 * 1024
    max_id_length: int = 128
    max_hops: int = 4
