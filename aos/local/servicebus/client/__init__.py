"""A lean AMQP receiver: many sessions and queues on one connection, opened and closed in milliseconds."""

from aos.local.servicebus.client.contract import (
    EntityReceiver,
    Mode,
    Multiplexer,
    OutgoingMessage,
    SessionReceiver,
    Settler,
)
from aos.local.servicebus.client.errors import (
    AuthenticationFailed,
    BrokerBusy,
    ConnectionLost,
    EntityNotFound,
    MessageLockLost,
    RequestRefused,
    SessionCannotBeLocked,
    SessionLockLost,
)
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from aos.local.servicebus.client.received import ReceivedMessage

__all__ = [
    "AuthenticationFailed",
    "BrokerBusy",
    "ConnectionLost",
    "EntityNotFound",
    "EntityReceiver",
    "MessageLockLost",
    "Mode",
    "MultiplexedReceiver",
    "Multiplexer",
    "OutgoingMessage",
    "ReceivedMessage",
    "RequestRefused",
    "SessionCannotBeLocked",
    "SessionLockLost",
    "SessionReceiver",
    "Settler",
]
