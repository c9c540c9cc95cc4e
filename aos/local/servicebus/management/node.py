"""The management node of one entity: finds the operation, runs it, and turns refusals into replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.local.servicebus.amqp.errors import INTERNAL_ERROR, NOT_IMPLEMENTED, DecodeFault
from aos.local.servicebus.amqp.types import Int, Symbol
from aos.local.servicebus.engine import BusError
from aos.local.servicebus.management import message_operations, rule_operations, session_operations
from aos.local.servicebus.management.arguments import Arguments
from aos.local.servicebus.management.context import Context, Nothing
from aos.local.servicebus.server.request_links import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from aos.kernel.errors import AosError
    from aos.local.servicebus.server.connection import Connection

_PREFIX = "com.microsoft:"
_OPERATIONS: dict[str, Callable[[Context, Arguments], dict[str, Any] | None]] = {
    "renew-lock": message_operations.renew_lock,
    "schedule-message": message_operations.schedule,
    "cancel-scheduled-message": message_operations.cancel_scheduled,
    "peek-message": message_operations.peek,
    "receive-by-sequence-number": message_operations.receive_by_sequence_number,
    "update-disposition": message_operations.update_disposition,
    "renew-session-lock": session_operations.renew,
    "get-session-state": session_operations.get_state,
    "set-session-state": session_operations.set_state,
    "get-message-sessions": session_operations.list_sessions,
    "add-rule": rule_operations.add,
    "remove-rule": rule_operations.remove,
    "enumerate-rules": rule_operations.enumerate_rules,
}


class ManagementNode:
    """Answers management requests about one entity for one connection."""

    def __init__(self, connection: Connection, entity: str) -> None:
        self._connection = connection
        self._entity = entity

    def check(self) -> None:
        bus = self._connection.shared.bus
        try:
            bus.target(self._entity)
        except BusError:
            bus.source(self._entity)

    def answer(self, request: Request) -> Reply:
        operation = _OPERATIONS.get(request.operation.removeprefix(_PREFIX))
        if operation is None:
            return _refused(501, NOT_IMPLEMENTED, f"The operation {request.operation!r} is not supported.")
        context = Context(self._connection, self._entity, request.link_name)
        try:
            self.check()
            body = operation(context, Arguments(request.body))
        except Nothing as nothing:
            return _reply(204, str(nothing), condition=nothing.condition)
        except BusError as error:
            return self.failed(error)
        except DecodeFault as fault:
            return _refused(400, fault.condition, fault.description)
        return _reply(200, "OK", {} if body is None else body)

    def failed(self, failure: AosError) -> Reply:
        condition = getattr(failure, "condition", INTERNAL_ERROR)
        return _refused(getattr(failure, "status", 500), condition, failure.message)


def _reply(status: int, description: str, body: Any = None, *, condition: str | None = None) -> Reply:
    properties: dict[Any, Any] = {"statusCode": Int(status), "statusDescription": description}
    if condition is not None:
        properties["errorCondition"] = Symbol(condition)
    return Reply(properties, body)


def _refused(status: int, condition: str, description: str) -> Reply:
    return _reply(status, description, condition=condition)
