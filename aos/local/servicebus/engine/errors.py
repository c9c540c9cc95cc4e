"""What the engine refuses, each with the AMQP error condition from which the SDK makes its typed exception.

::

    BusError                        SDK exception
    ├── EntityNotFound              MessagingEntityNotFoundError
    ├── EntityExists                MessagingEntityAlreadyExistsError
    ├── EntityDisabled              MessagingEntityDisabledError
    ├── InvalidArgument             ServiceBusError
    ├── NotPermitted                ServiceBusError (the entity does not do that)
    ├── Unauthorized                ServiceBusAuthorizationError
    ├── MessageTooLarge             MessageSizeExceededError
    ├── QuotaExceeded               ServiceBusQuotaExceededError
    ├── ServerBusy                  ServiceBusServerBusyError
    ├── OperationTimedOut           OperationTimeoutError
    ├── MessageLockLost             MessageLockLostError
    ├── MessageNotFound             MessageNotFoundError
    ├── SessionLockLost             SessionLockLostError
    ├── SessionCannotBeLocked       SessionCannotBeLockedError
    ├── FilterInvalid               ServiceBusError (a rule's SQL does not parse)
    ├── FilterFailed                none: the message goes to the subscription's dead letters
    ├── InjectedFault               ServiceBusError or what the fault says
    └── StoreBroken                 ServiceBusError (nothing more is accepted)
"""

from __future__ import annotations

from typing import ClassVar

from aos.kernel.errors import AosError


class BusError(AosError):
    """Base of the engine's refusals.

    Attributes:
        condition: The AMQP error condition to put on the wire.
        status: The status code of a `$management` or administration reply.
    """

    code = "bus_error"
    condition: str = "amqp:internal-error"
    status: ClassVar[int] = 500


class EntityNotFound(BusError):
    code = "bus_entity_not_found"
    condition = "amqp:not-found"
    status = 404


class EntityExists(BusError):
    code = "bus_entity_exists"
    condition = "com.microsoft:entity-already-exists"
    status = 409


class EntityDisabled(BusError):
    code = "bus_entity_disabled"
    condition = "com.microsoft:entity-disabled"
    status = 403


class InvalidArgument(BusError):
    code = "bus_invalid_argument"
    condition = "com.microsoft:argument-error"
    status = 400


class NotPermitted(BusError):
    code = "bus_not_permitted"
    condition = "amqp:not-allowed"
    status = 400


class Unauthorized(BusError):
    code = "bus_unauthorized"
    condition = "amqp:unauthorized-access"
    status = 401


class MessageTooLarge(BusError):
    code = "bus_message_too_large"
    condition = "amqp:link:message-size-exceeded"
    status = 413


class QuotaExceeded(BusError):
    code = "bus_quota_exceeded"
    condition = "amqp:resource-limit-exceeded"
    status = 403


class ServerBusy(BusError):
    code = "bus_server_busy"
    condition = "com.microsoft:server-busy"
    status = 503
    retryable = True


class OperationTimedOut(BusError):
    code = "bus_timeout"
    condition = "com.microsoft:timeout"
    status = 408
    retryable = True


class MessageLockLost(BusError):
    code = "bus_message_lock_lost"
    condition = "com.microsoft:message-lock-lost"
    status = 410


class MessageNotFound(BusError):
    code = "bus_message_not_found"
    condition = "com.microsoft:message-not-found"
    status = 404


class SessionLockLost(BusError):
    code = "bus_session_lock_lost"
    condition = "com.microsoft:session-lock-lost"
    status = 410


class SessionCannotBeLocked(BusError):
    code = "bus_session_cannot_be_locked"
    condition = "com.microsoft:session-cannot-be-locked"
    status = 409
    retryable = True


class FilterInvalid(InvalidArgument):
    code = "bus_filter_invalid"


class FilterFailed(BusError):
    """A filter or an action could not be evaluated for one message."""

    code = "bus_filter_failed"


class InjectedFault(BusError):
    """A refusal a test asked for; `condition` may be set for each."""

    code = "bus_injected_fault"
    retryable = True

    def __init__(self, message: str, *, condition: str = "amqp:internal-error") -> None:
        super().__init__(message)
        self.condition = condition


class StoreBroken(BusError):
    code = "bus_store_broken"
    severity = "critical"
