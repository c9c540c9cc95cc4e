from __future__ import annotations

import inspect
import logging

import pytest
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport

from aos.local.servicebus import engine
from aos.local.servicebus.engine import BusError


def test_everything_exported_is_listed() -> None:
    names = {name for name, value in vars(engine).items() if name[0] != "_" and not inspect.ismodule(value)}
    assert names == set(engine.__all__)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (engine.EntityNotFound, "MessagingEntityNotFoundError"),
        (engine.EntityExists, "MessagingEntityAlreadyExistsError"),
        (engine.EntityDisabled, "MessagingEntityDisabledError"),
        (engine.MessageTooLarge, "MessageSizeExceededError"),
        (engine.QuotaExceeded, "ServiceBusQuotaExceededError"),
        (engine.ServerBusy, "ServiceBusServerBusyError"),
        (engine.OperationTimedOut, "OperationTimeoutError"),
        (engine.MessageLockLost, "MessageLockLostError"),
        (engine.MessageNotFound, "MessageNotFoundError"),
        (engine.SessionLockLost, "SessionLockLostError"),
        (engine.SessionCannotBeLocked, "SessionCannotBeLockedError"),
        (engine.Unauthorized, "ServiceBusAuthorizationError"),
    ],
)
def test_the_sdk_makes_its_typed_exception_of_each_condition(error: type[BusError], raised: str) -> None:
    condition = str(error.condition).encode()
    made = PyamqpTransport._handle_amqp_exception_with_condition(logging.getLogger(), condition, "why")
    assert type(made).__name__ == raised


def test_every_error_is_exported_with_a_code_of_its_own() -> None:
    def below(cls: type[BusError]) -> list[type[BusError]]:
        return [cls, *(found for sub in cls.__subclasses__() for found in below(sub))]

    errors = [cls for cls in below(BusError) if cls.__module__.startswith("aos.local.servicebus.engine")]
    assert {cls.__name__ for cls in errors} <= set(engine.__all__)
    assert len({cls.code for cls in errors}) == len(errors)
