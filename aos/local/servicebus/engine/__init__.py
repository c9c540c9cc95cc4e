"""The Service Bus engine: entities, sessions, locks, settlement, filters and persistence, without any wire.

`Bus` is the namespace. Operations are plain calls that return at once; waiting is by callback (`when_ready`,
`when_session`) or, in an event loop, through `receive` and `accept_session`. Time comes from an injected clock.
"""

from aos.local.servicebus.engine.bus import Bus
from aos.local.servicebus.engine.config_file import load_topology, parse_topology
from aos.local.servicebus.engine.description import (
    DEFAULT_RULE,
    CorrelationFilter,
    EntityStatus,
    FalseFilter,
    Filter,
    Limits,
    QueueDescription,
    RuleDescription,
    SqlAction,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
    Topology,
    TrueFilter,
)
from aos.local.servicebus.engine.duration import format_duration, parse_duration
from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.errors import (
    BusError,
    EntityDisabled,
    EntityExists,
    EntityNotFound,
    FilterFailed,
    FilterInvalid,
    InjectedFault,
    InvalidArgument,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    NotPermitted,
    OperationTimedOut,
    QuotaExceeded,
    ServerBusy,
    SessionCannotBeLocked,
    SessionLockLost,
    StoreBroken,
    Unauthorized,
)
from aos.local.servicebus.engine.faults import Fault, FaultKind, Faults
from aos.local.servicebus.engine.message import Delivery, Message, MessageState, PropertyValue, ReceiveMode
from aos.local.servicebus.engine.message_queue import Queue
from aos.local.servicebus.engine.receiving import accept_session, receive
from aos.local.servicebus.engine.sessions import SessionReceiver
from aos.local.servicebus.engine.sqlite_store import SqliteStore
from aos.local.servicebus.engine.store import Snapshot, Store
from aos.local.servicebus.engine.timer_driver import TimerDriver
from aos.local.servicebus.engine.topic import Topic
from aos.local.servicebus.engine.waiters import Waiter

__all__ = [
    "DEFAULT_RULE",
    "Bus",
    "BusError",
    "CorrelationFilter",
    "Delivery",
    "EntityDisabled",
    "EntityExists",
    "EntityNotFound",
    "EntityStatistics",
    "EntityStatus",
    "FalseFilter",
    "Fault",
    "FaultKind",
    "Faults",
    "Filter",
    "FilterFailed",
    "FilterInvalid",
    "InjectedFault",
    "InvalidArgument",
    "Limits",
    "Message",
    "MessageLockLost",
    "MessageNotFound",
    "MessageState",
    "MessageTooLarge",
    "NotPermitted",
    "OperationTimedOut",
    "PropertyValue",
    "Queue",
    "QueueDescription",
    "QuotaExceeded",
    "ReceiveMode",
    "RuleDescription",
    "ServerBusy",
    "SessionCannotBeLocked",
    "SessionLockLost",
    "SessionReceiver",
    "Snapshot",
    "SqlAction",
    "SqlFilter",
    "SqliteStore",
    "Store",
    "StoreBroken",
    "SubscriptionDescription",
    "TimerDriver",
    "Topic",
    "TopicDescription",
    "Topology",
    "TrueFilter",
    "Unauthorized",
    "Waiter",
    "accept_session",
    "format_duration",
    "load_topology",
    "parse_duration",
    "parse_topology",
    "receive",
]
