"""The agent behind a formal conversation. There is one for each, `conversation:<id>`, and it is its only writer.

Who does something is the source of its message, which no other agent can take on. The transcript is in rows.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from aos.agents.agent import Agent
from aos.agents.conversations.formal import PERSON, FormalConversation
from aos.agents.conversations.formal_types import (
    ConversationRole,
    ConversationStatus,
    OpenRequest,
    Signature,
)
from aos.agents.conversations.limits import ConversationLimits
from aos.agents.handlers import on
from aos.agents.tool_use import PEOPLE
from aos.agents.turn import Turn
from aos.kernel.address import agent_type, check_address
from aos.kernel.errors import AlreadyExists, NotFound, PermissionDenied

TYPE = "conversation"
TOPIC = "conversations"
TRANSCRIPT = "transcript"
SAID = "conversation.said"
SIGNATURE_REQUESTED = "conversation.signature_requested"
_EXPIRED = "conversation.expired"
_EXPIRY = "expiry"


class Formal(BaseModel):
    """The state: None until it is opened."""

    conversation: FormalConversation | None = None


class Remark(BaseModel):
    """Something said; `expects` names those whose answer is awaited before others go on."""

    content: str = Field(min_length=1, max_length=100_000)
    message_type: str = Field(default="standard", max_length=50)
    expects: list[str] = Field(default_factory=list, max_length=50)


class Proposal(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    terms: Any = None


class Acceptance(BaseModel):
    name: str


class SignRequest(BaseModel):
    """A signature; with `digest` only for these terms and no others."""

    signer_name: str = Field(default="", max_length=200)
    digest: str | None = None


class Delegation(BaseModel):
    to: str


class Reason(BaseModel):
    reason: str = Field(default="", max_length=2_000)


class FormalConversationAgent(Agent[Formal]):
    """Sees one formal conversation through, from `conversation.open` to its end.

    Each message is answered with how the conversation stands. Participants that handle `conversation.said` and
    `conversation.signature_requested` are told; each change of status is published under the topic `conversations`.
    """

    type = TYPE
    name = "Conversation"
    purpose = "See a formal conversation through by its rules, and keep what was said and signed"
    listed = False
    conversation_limits = ConversationLimits(max_entries=10, summarise=False)

    @on("conversation.open")
    async def open(self, turn: Turn, state: Formal, request: OpenRequest) -> dict[str, Any]:
        if state.conversation is not None:
            raise AlreadyExists(f"{turn.agent!r} is open already. Choose another id.")
        champion = request.champion or turn.message.source
        participants = {champion: ConversationRole.COORDINATOR_AGENT, **request.participants}
        for who in participants:
            check_address(who)
        values = {**request.model_dump(), "champion": champion, "participants": participants}
        state.conversation = FormalConversation.model_validate(values)
        state.conversation.open(turn.now)
        if request.expires_at is not None:
            turn.remind(_EXPIRY, _EXPIRED, at=request.expires_at)
        return self._changed(turn, state.conversation, None)

    @on("conversation.start")
    async def start(self, turn: Turn, state: Formal, _: Any) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        conversation.check("start", who)
        before, conversation.status = conversation.status, ConversationStatus.INITIATED
        return self._changed(turn, conversation, before)

    @on("conversation.message")
    async def message(self, turn: Turn, state: Formal, remark: Remark) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        conversation.say(who, remark.expects)
        role = conversation.participants.get(who)
        said = {"role": role.value if role else PERSON, "message_type": remark.message_type, "expects": remark.expects}
        entry = (await self.conversation(turn, TRANSCRIPT)).append(remark.content, who=who, meta=said)
        told = {"number": entry.number, "sender": who, "content": remark.content, **said}
        for other in conversation.participants:
            if other != who:
                self._tell(turn, other, SAID, {**told, "expects_you": other in remark.expects})
        return {**self._changed(turn, conversation, before), "number": entry.number}

    @on("conversation.propose")
    async def propose(self, turn: Turn, state: Formal, proposal: Proposal) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        conversation.propose(who, proposal.name, proposal.terms)
        return self._changed(turn, conversation, before)

    @on("conversation.accept")
    async def accept(self, turn: Turn, state: Formal, acceptance: Acceptance) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        conversation.accept(who, acceptance.name)
        return self._changed(turn, conversation, conversation.status)

    @on("conversation.request_signatures")
    async def request_signatures(self, turn: Turn, state: Formal, _: Any) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        conversation.request_signatures(who)
        for signer in conversation.pending_signers:
            self._ask_to_sign(turn, conversation, signer)
        return self._changed(turn, conversation, before)

    @on("conversation.sign")
    async def sign(self, turn: Turn, state: Formal, request: SignRequest) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        signature = Signature(
            signer_agent=who,
            signer_name=request.signer_name or who,
            timestamp=turn.now,
            digest=request.digest or conversation.digest,
            labels=sorted(turn.labels),
        )
        conversation.sign(signature)
        turn.record("conversation.signed", **signature.model_dump(mode="json"))
        return self._changed(turn, conversation, before)

    @on("conversation.delegate")
    async def delegate(self, turn: Turn, state: Formal, delegation: Delegation) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        conversation.delegate(who, delegation.to)
        turn.record("conversation.delegated", signer=who, to=delegation.to)
        if conversation.status is ConversationStatus.PENDING_SIGNATURE:
            self._ask_to_sign(turn, conversation, delegation.to)
        return self._changed(turn, conversation, conversation.status)

    @on("conversation.approve")
    async def approve(self, turn: Turn, state: Formal, reason: Reason) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        if turn.labels:
            raise PermissionDenied("Words from outside approve nothing. Send the approval by itself, without labels.")
        before = conversation.status
        conversation.approve(who)
        turn.record("conversation.approved", by=who, reason=reason.reason)
        return self._changed(turn, conversation, before)

    @on("conversation.complete")
    async def complete(self, turn: Turn, state: Formal, _: Any) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        conversation.complete(who)
        return self._changed(turn, conversation, before)

    @on("conversation.suspend")
    async def suspend(self, turn: Turn, state: Formal, reason: Reason) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        conversation.suspend(who, reason.reason)
        return self._changed(turn, conversation, before)

    @on("conversation.resume")
    async def resume(self, turn: Turn, state: Formal, _: Any) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        before = conversation.status
        conversation.resume(who)
        return self._changed(turn, conversation, before)

    @on("conversation.terminate")
    async def terminate(self, turn: Turn, state: Formal, reason: Reason) -> dict[str, Any]:
        conversation, who = self._expect(turn, state)
        conversation.check("terminate", who)
        return self._end(turn, conversation, ConversationStatus.TERMINATED, reason.reason)

    @on(_EXPIRED)
    async def expire(self, turn: Turn, state: Formal, _: Any) -> None:
        conversation = state.conversation
        if turn.message.source != turn.agent:
            raise PermissionDenied("A conversation expires by the clock. Terminate it instead.")
        if conversation is not None and not conversation.status.is_final:
            self._end(turn, conversation, ConversationStatus.EXPIRED, "Its time is over.")

    def _end(
        self, turn: Turn, conversation: FormalConversation, status: ConversationStatus, reason: str
    ) -> dict[str, Any]:
        before, conversation.status, conversation.reason = conversation.status, status, reason
        return self._changed(turn, conversation, before)

    def _expect(self, turn: Turn, state: Formal) -> tuple[FormalConversation, str]:
        """The conversation, and who does something in it."""
        if state.conversation is None:
            raise NotFound(f"{turn.agent!r} is not open. Send it `conversation.open` first.")
        source = turn.message.source
        return state.conversation, PERSON if source == PEOPLE else source

    def _changed(
        self, turn: Turn, conversation: FormalConversation, before: ConversationStatus | None
    ) -> dict[str, Any]:
        """Note the change, publish another status, and say how the conversation stands."""
        conversation.updated_at = turn.now
        status = conversation.status
        if status is not before:
            facts = {"conversation": turn.agent, "status": status.value, "type": conversation.type.value}
            turn.record("conversation.status", before=before.value if before else None, **facts)
            turn.publish(TOPIC, f"conversation.{status.value}", {**facts, "title": conversation.title})
        if status.is_final:
            turn.forget(_EXPIRY)
        return _standing(turn.agent, conversation)

    def _ask_to_sign(self, turn: Turn, conversation: FormalConversation, signer: str) -> None:
        agreements = {name: agreement.terms for name, agreement in conversation.agreements.items()}
        wanted = {"title": conversation.title, "agreements": agreements, "digest": conversation.digest}
        self._tell(turn, signer, SIGNATURE_REQUESTED, wanted)

    def _tell(self, turn: Turn, who: str, message_type: str, data: dict[str, Any]) -> None:
        """Send a participant a message, if it wants messages of this type; others look the conversation up."""
        roster = self.surroundings.roster
        behaviour = roster.behaviour(agent_type(who)) if roster is not None else None
        if behaviour is not None and message_type in behaviour.message_types:
            turn.send(who, message_type, {"conversation": turn.agent, **data})


def _standing(address: str, conversation: FormalConversation) -> dict[str, Any]:
    """How a conversation stands, for an answer."""
    return {
        "conversation": address,
        "status": conversation.status.value,
        "awaited": conversation.awaited,
        "pending_signers": conversation.pending_signers,
        "digest": conversation.digest,
        "updated_at": conversation.updated_at.isoformat() if conversation.updated_at else None,
    }
