"""A message between agents as apps write it: who to whom, what kind, how urgent, how long it is of use."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from pydantic import BaseModel, Field, model_validator

from aos.kernel.message import Message


class Kind(StrEnum):
    """What a message is for."""

    SYSTEM = "system"
    AGENT_TO_AGENT = "agent_to_agent"
    BROADCAST = "broadcast"
    REQUEST = "request"
    RESPONSE = "response"
    NOTIFICATION = "notification"
    WORKFLOW = "workflow"
    DECISION = "decision"


class Priority(IntEnum):
    """How urgent a message is."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


ON_THE_WIRE = {Priority.LOW: 3, Priority.NORMAL: 5, Priority.HIGH: 7, Priority.CRITICAL: 10}
"""The envelope's scale from 1 to 10."""
TIME_TO_LIVE = timedelta(seconds=300)


class AgentMessage(BaseModel):
    """A message between agents.

    Attributes:
        type: What it is for.
        from_agent, to_agent: Addresses; a broadcast has no `to_agent`.
        content: Its payload. `content["type"]`, where given, is the message type an agent's handler is declared
            for; otherwise it is `agent.<type>`.
        expires_at: After this moment it is of no use; 300 seconds after `timestamp` by default.
        retry_count, max_retries: How often it was and may be tried again; the receiving agent's policy decides.
    """

    id: str = Field(default_factory=lambda: str(uuid.uuid4()), max_length=128)
    type: Kind = Kind.AGENT_TO_AGENT
    from_agent: str
    to_agent: str | None = None
    content: dict[str, Any] = Field(default_factory=dict)
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))
    priority: Priority = Priority.NORMAL
    correlation_id: str | None = None
    expires_at: datetime | None = None
    retry_count: int = Field(default=0, ge=0)
    max_retries: int = Field(default=3, ge=0)

    @model_validator(mode="after")
    def _expire(self) -> AgentMessage:
        if self.expires_at is None:
            self.expires_at = self.timestamp + TIME_TO_LIVE
        return self

    def envelope(self, to: str) -> Message:
        """The message as it travels, addressed to one agent."""
        return Message(
            id=self.id,
            source=self.from_agent,
            type=str(self.content.get("type") or f"agent.{self.type.value}"),
            time=self.timestamp,
            to=to,
            data={name: value for name, value in self.content.items() if name != "type"},
            conversation_id=self.correlation_id,
            reply_to=self.from_agent if self.type is Kind.REQUEST else None,
            priority=ON_THE_WIRE[self.priority],
            deadline=self.expires_at,
        )
