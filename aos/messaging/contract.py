"""The wire contract for business apps that speak Service Bus: a header and a payload, in JSON.

`schema()` gives the JSON Schema of every message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aos.lifecycle.commands import AgentCommand

VERSION = "1.0"


class MessageType(StrEnum):
    """What a message means."""

    AGENT_QUERY = "aos.agent.query"
    AGENT_RESPONSE = "aos.agent.response"
    AGENT_LIST = "aos.agent.list"
    AGENT_STATUS = "aos.agent.status"
    AGENT_COMMAND = "aos.agent.command"
    AGENT_COMMAND_RESULT = "aos.agent.command.result"
    STORAGE_GET = "aos.storage.get"
    STORAGE_SET = "aos.storage.set"
    STORAGE_DELETE = "aos.storage.delete"
    STORAGE_LIST = "aos.storage.list"
    STORAGE_RESULT = "aos.storage.result"
    WORKFLOW_EXECUTE = "aos.workflow.execute"
    WORKFLOW_STATUS = "aos.workflow.status"
    WORKFLOW_CANCEL = "aos.workflow.cancel"
    WORKFLOW_RESULT = "aos.workflow.result"
    SYSTEM_HEALTH = "aos.system.health"
    SYSTEM_HEALTH_RESPONSE = "aos.system.health.response"
    SYSTEM_PING = "aos.system.ping"
    SYSTEM_PONG = "aos.system.pong"
    ERROR = "aos.error"


class ErrorCode(StrEnum):
    """What an `aos.error` says went wrong."""

    UNKNOWN_MESSAGE_TYPE = "UNKNOWN_MESSAGE_TYPE"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    AGENT_QUERY_ERROR = "AGENT_QUERY_ERROR"
    AGENT_LIST_ERROR = "AGENT_LIST_ERROR"
    AGENT_STATUS_ERROR = "AGENT_STATUS_ERROR"
    AGENT_COMMAND_ERROR = "AGENT_COMMAND_ERROR"
    WORKFLOW_STATUS_ERROR = "WORKFLOW_STATUS_ERROR"
    STORAGE_GET_ERROR = "STORAGE_GET_ERROR"
    STORAGE_SET_ERROR = "STORAGE_SET_ERROR"
    STORAGE_DELETE_ERROR = "STORAGE_DELETE_ERROR"
    STORAGE_LIST_ERROR = "STORAGE_LIST_ERROR"
    HEALTH_CHECK_ERROR = "HEALTH_CHECK_ERROR"


class Header(BaseModel):
    """Who asks what of whom.

    Attributes:
        message_id: Unique; a repeated one is answered again but has its effect once.
        correlation_id: Kept in the answer.
        reply_to: Queue for the answer; by default `<source>-responses`.
        ttl_seconds: How long the message is of use.
    """

    model_config = ConfigDict(extra="forbid")

    version: str = VERSION
    message_id: str = Field(min_length=1, max_length=100)
    correlation_id: str | None = None
    reply_to: str | None = None
    timestamp: datetime
    source: str = "unknown"
    target: str = "aos"
    message_type: str
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    ttl_seconds: int = Field(default=300, gt=0)


class AOSMessage(BaseModel):
    """A message of the wire contract."""

    model_config = ConfigDict(extra="forbid")

    header: Header
    payload: dict[str, Any] = Field(default_factory=dict)


class AgentQuery(BaseModel):
    """A question for an agent; `context.type` names the message type it is sent as, `agent.query` otherwise.

    `context.conversation` names the conversation it belongs to; by default it is the app's own.
    """

    agent_id: str
    query: str
    context: dict[str, Any] = Field(default_factory=dict)
    max_tokens: int = 1000
    temperature: float = 0.7


class AgentResponse(BaseModel):
    agent_id: str
    response: str
    confidence: float | None = None
    sources: list[Any] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None


class AgentStatusRequest(BaseModel):
    agent_id: str


class WorkflowExecute(BaseModel):
    workflow_id: str = ""
    workflow_name: str
    inputs: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)


class WorkflowReference(BaseModel):
    workflow_id: str


class WorkflowResult(BaseModel):
    workflow_id: str
    status: str
    outputs: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None
    execution_time_ms: float | None = None


class StorageOperation(BaseModel):
    operation: Literal["get", "set", "delete", "list"] | None = None
    container: str = "aos"
    key: str | None = None
    value: Any = None
    prefix: str | None = None


class StorageResult(BaseModel):
    operation: str
    success: bool
    data: Any = None
    keys: list[str] = Field(default_factory=list)
    error: str | None = None


class ErrorPayload(BaseModel):
    error_code: str
    error_message: str
    details: dict[str, Any] = Field(default_factory=dict)


PAYLOADS: Mapping[str, type[BaseModel]] = {
    MessageType.AGENT_QUERY: AgentQuery,
    MessageType.AGENT_RESPONSE: AgentResponse,
    MessageType.AGENT_COMMAND: AgentCommand,
    MessageType.STORAGE_GET: StorageOperation,
    MessageType.STORAGE_RESULT: StorageResult,
    MessageType.WORKFLOW_EXECUTE: WorkflowExecute,
    MessageType.WORKFLOW_RESULT: WorkflowResult,
    MessageType.ERROR: ErrorPayload,
}
"""The models of the payloads, by a message type that carries each."""


def answer_to(header: Header, message_type: str, payload: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The answer to a request, as JSON. Answering the same request again makes the same message id."""
    identity = f"answer\n{header.source}\n{header.message_id}"
    answer = Header(
        message_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        correlation_id=header.correlation_id or header.message_id,
        timestamp=now,
        source="aos",
        target=header.source,
        message_type=message_type,
        priority=header.priority,
        ttl_seconds=header.ttl_seconds,
    )
    return AOSMessage(header=answer, payload=payload).model_dump(mode="json")


def schema() -> dict[str, dict[str, Any]]:
    """JSON Schemas by file name: the envelope, and one for each payload."""
    models: list[type[BaseModel]] = [AOSMessage, *PAYLOADS.values(), AgentStatusRequest, WorkflowReference]
    return {f"{model.__name__}.json": model.model_json_schema() for model in models}
