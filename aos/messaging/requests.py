"""The request desk: answers business apps that put wire-contract messages on the request queue.

Answers go to the queue the app names. A question for an agent is handed to the agent that stands for the app, which
asks and answers when the reply is there, so nobody waits here for an agent to think.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from aos import __version__
from aos.agents.directory import Directory
from aos.kernel.deadletter import DeadLetters
from aos.kernel.errors import AosError, InfrastructureError, InvalidInput
from aos.kernel.message import format_time
from aos.kernel.ports import Clock, MessageBus, OutboundMessage
from aos.lifecycle.commands import AgentCommand, AgentCommands
from aos.messaging import contract
from aos.messaging.app_agent import PRIORITIES, QUERY, app_address
from aos.messaging.contract import AOSMessage, ErrorCode, MessageType, answer_to
from aos.messaging.names import response_queue
from aos.storage.documents import Documents
from aos.workflows.tasks.tasks import Tasks

log = logging.getLogger("aos.requests")

Answer = tuple[str, dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Services:
    """What the desk answers from. `status` tells how the system is."""

    directory: Directory
    tasks: Tasks
    documents: Documents
    dead_letters: DeadLetters
    bus: MessageBus
    clock: Clock
    status: Callable[[], Awaitable[dict[str, Any]]]
    commands: AgentCommands


class RequestDesk:
    """Handles requests of the wire contract."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._handlers: dict[str, tuple[Callable[[AOSMessage], Awaitable[Answer]], ErrorCode]] = {
            MessageType.SYSTEM_PING: (self._ping, ErrorCode.PROCESSING_ERROR),
            MessageType.SYSTEM_HEALTH: (self._health, ErrorCode.HEALTH_CHECK_ERROR),
            MessageType.AGENT_QUERY: (self._query, ErrorCode.AGENT_QUERY_ERROR),
            MessageType.AGENT_LIST: (self._list, ErrorCode.AGENT_LIST_ERROR),
            MessageType.AGENT_STATUS: (self._status, ErrorCode.AGENT_STATUS_ERROR),
            MessageType.AGENT_COMMAND: (self._command, ErrorCode.AGENT_COMMAND_ERROR),
            MessageType.STORAGE_GET: (self._storage_get, ErrorCode.STORAGE_GET_ERROR),
            MessageType.STORAGE_SET: (self._storage_set, ErrorCode.STORAGE_SET_ERROR),
            MessageType.STORAGE_DELETE: (self._storage_delete, ErrorCode.STORAGE_DELETE_ERROR),
            MessageType.STORAGE_LIST: (self._storage_list, ErrorCode.STORAGE_LIST_ERROR),
            MessageType.WORKFLOW_EXECUTE: (self._workflow_execute, ErrorCode.PROCESSING_ERROR),
            MessageType.WORKFLOW_STATUS: (self._workflow_status, ErrorCode.WORKFLOW_STATUS_ERROR),
            MessageType.WORKFLOW_CANCEL: (self._workflow_cancel, ErrorCode.PROCESSING_ERROR),
        }

    async def handle(self, body: bytes, *, traceparent: str | None = None) -> None:
        """Answer one request.

        A body that is no request goes to the dead letters. A request that fails is answered with `aos.error`.

        Raises:
            InfrastructureError: storage or bus are not available; have the request delivered again.
        """
        try:
            request = AOSMessage.model_validate_json(body)
        except ValidationError as error:
            problem = InvalidInput(f"Not a request of the wire contract: {_first(error)}", code="malformed_message")
            await self._services.dead_letters.add_unreadable(body, problem)
            return
        if self._is_late(request):
            log.warning("request was too late", extra={"message_id": request.header.message_id})
            return
        answer = await self._answer(request)
        if answer is not None:
            await self._send(request, answer, traceparent)

    def _is_late(self, request: AOSMessage) -> bool:
        sent = request.header.timestamp
        if sent.tzinfo is None:
            return False
        return sent + timedelta(seconds=request.header.ttl_seconds) < self._services.clock.now()

    async def _answer(self, request: AOSMessage) -> Answer:
        kind = request.header.message_type
        found = self._handlers.get(kind)
        if found is None:
            known = ", ".join(sorted(self._handlers))
            text = f"There is no handler for {kind!r}. There are: {known}."
            return _error(ErrorCode.UNKNOWN_MESSAGE_TYPE, text)
        handler, code = found
        try:
            return await handler(request)
        except InfrastructureError:
            raise
        except AosError as error:
            return _error(code, error.message, {"code": error.code, **error.details})
        except ValidationError as error:
            return _error(code, f"The payload of {kind!r} is not right: {_first(error)}")

    async def _send(self, request: AOSMessage, answer: tuple[str, dict[str, Any]], traceparent: str | None) -> None:
        reply = answer_to(request.header, answer[0], answer[1], self._services.clock.now())
        outbound = OutboundMessage(
            entity=response_queue(request.header.source, request.header.reply_to),
            body=json.dumps(reply, ensure_ascii=False).encode(),
            message_id=reply["header"]["message_id"],
            subject=answer[0],
            correlation_id=reply["header"]["correlation_id"],
            content_type="application/json",
            properties={"traceparent": traceparent} if traceparent else {},
        )
        await self._services.bus.send([outbound])

    async def _ping(self, _: AOSMessage) -> Answer:
        now = format_time(self._services.clock.now())
        return MessageType.SYSTEM_PONG, {"type": "pong", "timestamp": now, "system": "AOS", "version": __version__}

    async def _health(self, _: AOSMessage) -> Answer:
        return MessageType.SYSTEM_HEALTH_RESPONSE, await self._services.status()

    async def _query(self, request: AOSMessage) -> Answer:
        query = contract.AgentQuery.model_validate(request.payload)
        self._services.directory.expect(query.agent_id)
        await self._services.directory.send(
            app_address(request.header.source),
            QUERY,
            request.model_dump(mode="json"),
            source=f"/apps/{request.header.source}",
            message_id=request.header.message_id,
            priority=PRIORITIES[request.header.priority],
        )
        return None

    async def _list(self, _: AOSMessage) -> Answer:
        return MessageType.AGENT_STATUS, {"agents": await self._services.directory.all()}

    async def _command(self, request: AOSMessage) -> Answer:
        command = AgentCommand.model_validate(request.payload)
        command = command.model_copy(update={"params": {"by": request.header.source, **command.params}})
        return MessageType.AGENT_COMMAND_RESULT, await self._services.commands.run(command)

    async def _status(self, request: AOSMessage) -> Answer:
        wanted = contract.AgentStatusRequest.model_validate(request.payload)
        return MessageType.AGENT_STATUS, await self._services.directory.status(wanted.agent_id)

    async def _storage_get(self, request: AOSMessage) -> Answer:
        container, key = _place(request)
        data = await self._services.documents.load(container, key)
        return _stored("get", success=data is not None, data=data, error=None if data is not None else "not found")

    async def _storage_set(self, request: AOSMessage) -> Answer:
        container, key = _place(request)
        await self._services.documents.save(container, key, request.payload.get("value"))
        return _stored("set", success=True)

    async def _storage_delete(self, request: AOSMessage) -> Answer:
        container, key = _place(request)
        return _stored("delete", success=await self._services.documents.delete(container, key))

    async def _storage_list(self, request: AOSMessage) -> Answer:
        operation = contract.StorageOperation.model_validate(request.payload)
        keys = await self._services.documents.list_keys(operation.container, operation.prefix or "")
        return _stored("list", success=True, keys=keys)

    async def _workflow_execute(self, request: AOSMessage) -> Answer:
        execute = contract.WorkflowExecute.model_validate(request.payload)
        try:
            inputs = {"owner": request.header.source, **execute.inputs}
            task_id = await self._services.tasks.execute(execute.workflow_name, inputs)
        except (AosError, ValidationError) as error:
            if isinstance(error, InfrastructureError):
                raise
            text = error.message if isinstance(error, AosError) else _first(error)
            failed = contract.WorkflowResult(workflow_id=execute.workflow_id, status="failed", error=text)
            return MessageType.WORKFLOW_RESULT, _json(failed)
        return MessageType.WORKFLOW_STATUS, {"workflow_id": task_id, "status": "pending"}

    async def _workflow_status(self, request: AOSMessage) -> Answer:
        reference = contract.WorkflowReference.model_validate(request.payload)
        task = await self._services.tasks.detail(reference.workflow_id)
        result = contract.WorkflowResult(
            workflow_id=reference.workflow_id,
            status=task["status"],
            outputs=task.get("result") or {},
            error=(task.get("error") or {}).get("message"),
            execution_time_ms=task.get("duration_seconds", 0.0) * 1000,
        )
        return MessageType.WORKFLOW_STATUS, _json(result)

    async def _workflow_cancel(self, request: AOSMessage) -> Answer:
        reference = contract.WorkflowReference.model_validate(request.payload)
        await self._services.tasks.cancel(reference.workflow_id, f"cancelled by {request.header.source}")
        return MessageType.WORKFLOW_STATUS, {"workflow_id": reference.workflow_id, "status": "cancelling"}


def _place(request: AOSMessage) -> tuple[str, str]:
    operation = contract.StorageOperation.model_validate(request.payload)
    if not operation.key:
        raise InvalidInput("The payload has no `key`. Name the document.")
    return operation.container, operation.key


def _stored(operation: str, **values: Any) -> tuple[str, dict[str, Any]]:
    return MessageType.STORAGE_RESULT, _json(contract.StorageResult(operation=operation, **values))


def _json(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")


def _error(code: ErrorCode, text: str, details: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    payload = contract.ErrorPayload(error_code=code, error_message=text, details=details or {})
    return MessageType.ERROR, _json(payload)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "message"
    return f"{place}: {first['msg']}"
