"""What a formal conversation is made of: its kinds, roles and statuses, signatures and agreements."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, Field


class ConversationType(StrEnum):
    """What a formal conversation is about."""

    AGENT_COORDINATION = "agent_coordination"
    TASK_ASSIGNMENT = "task_assignment"
    RESOURCE_ALLOCATION = "resource_allocation"
    CAPABILITY_NEGOTIATION = "capability_negotiation"
    COLLECTIVE_DECISION = "collective_decision"
    CONSENSUS_BUILDING = "consensus_building"
    CONFLICT_RESOLUTION = "conflict_resolution"
    PRIORITY_SETTING = "priority_setting"
    SYSTEM_HANDOFF = "system_handoff"
    WORKFLOW_COORDINATION = "workflow_coordination"
    STATUS_REPORTING = "status_reporting"
    ERROR_HANDLING = "error_handling"
    SERVICE_AGREEMENT = "service_agreement"
    RESOURCE_COMMITMENT = "resource_commitment"
    PERFORMANCE_COVENANT = "performance_covenant"
    TERMINATION_AGREEMENT = "termination_agreement"
    NETWORK_NEGOTIATION = "network_negotiation"
    EXTERNAL_INTEGRATION = "external_integration"
    PROTOCOL_ESTABLISHMENT = "protocol_establishment"
    BOUNDARY_DEFINITION = "boundary_definition"


class ConversationRole(StrEnum):
    """As what somebody takes part. An observer listens."""

    SYSTEM = "system"
    ORCHESTRATOR = "orchestrator"
    AGENT_MANAGER = "agent_manager"
    RESOURCE_MANAGER = "resource_manager"
    AGENT = "agent"
    COORDINATOR_AGENT = "coordinator_agent"
    SPECIALIST_AGENT = "specialist_agent"
    MONITOR_AGENT = "monitor_agent"
    MCP_SERVER = "mcp_server"
    EXTERNAL_SERVICE = "external_service"
    NETWORK_NODE = "network_node"
    ADMIN = "admin"
    OBSERVER = "observer"


class ConversationStatus(StrEnum):
    """How far a formal conversation is; the last three are final."""

    DRAFT = "draft"
    INITIATED = "initiated"
    ACTIVE = "active"
    PENDING_RESPONSE = "pending_response"
    PENDING_SIGNATURE = "pending_signature"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    TERMINATED = "terminated"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self in FINAL


class ConversationPriority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"
    CRITICAL = "critical"


FINAL = frozenset({ConversationStatus.COMPLETED, ConversationStatus.TERMINATED, ConversationStatus.EXPIRED})


class Signature(BaseModel):
    """That somebody agreed to the terms as they were.

    Attributes:
        digest: SHA-256 of the terms that were signed.
        labels: What was known of the turn in which it signed.
    """

    signer_agent: str
    signer_name: str
    timestamp: datetime
    signature_type: Literal["digital"] = "digital"
    digest: str
    labels: list[str] = []


class Agreement(BaseModel):
    """What was proposed, by whom, and who accepted it; whoever proposes accepts."""

    terms: Any
    proposed_by: str
    accepted_by: list[str]


class OpenRequest(BaseModel):
    """What a formal conversation is opened with.

    Attributes:
        champion: Who leads it; whoever opens it, where it is not said.
        participants: By address, each with its role. The champion is one.
        required_signers: Who must sign; each a participant.
        draft: Whether it waits for `conversation.start`.
        requires_consensus: Every agreement needs everybody's acceptance, observers apart, before it is signed.
        requires_human_oversight: It is not completed before a person has approved.
        delegation_allowed: Whether a signer may hand its signature to another participant.
        is_automated: Whether it is led without people; kept for readers.
    """

    type: ConversationType
    title: str = Field(min_length=1, max_length=300)
    description: str = Field(default="", max_length=4_000)
    champion: str | None = None
    participants: dict[str, ConversationRole] = Field(default_factory=dict, max_length=50)
    required_signers: list[str] = Field(default_factory=list, max_length=50)
    priority: ConversationPriority = ConversationPriority.MEDIUM
    context: dict[str, Any] = {}
    expires_at: datetime | None = None
    workflow_id: str | None = None
    task_ids: list[str] = Field(default_factory=list, max_length=100)
    requires_consensus: bool = False
    requires_human_oversight: bool = False
    is_automated: bool = True
    delegation_allowed: bool = True
    draft: bool = False
