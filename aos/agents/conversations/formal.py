"""A formal conversation: who takes part in which role, what may follow what, who may do it, and who has to sign.

Pure: it knows nothing of storage or messages. `FormalConversationAgent` puts it to work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from aos.agents.conversations.formal_types import (
    FINAL,
    Agreement,
    ConversationRole,
    ConversationStatus,
    OpenRequest,
    Signature,
)
from aos.kernel.errors import InvalidInput, NotAllowedNow, PermissionDenied

Act = Literal[
    "start",
    "say",
    "propose",
    "accept",
    "request signatures of",
    "sign",
    "delegate",
    "approve",
    "complete",
    "suspend",
    "resume",
    "terminate",
]

_S = ConversationStatus
_TALKING = frozenset({_S.INITIATED, _S.ACTIVE, _S.PENDING_RESPONSE})
_OPEN = _TALKING | {_S.PENDING_SIGNATURE}
WHEN: dict[Act, frozenset[ConversationStatus]] = {
    "start": frozenset({_S.DRAFT}),
    "say": _TALKING,
    "propose": _TALKING,
    "accept": _TALKING,
    "request signatures of": frozenset({_S.ACTIVE}),
    "sign": frozenset({_S.ACTIVE, _S.PENDING_SIGNATURE}),
    "delegate": _OPEN,
    "approve": _OPEN,
    "complete": frozenset({_S.INITIATED, _S.ACTIVE}),
    "suspend": _OPEN,
    "resume": frozenset({_S.SUSPENDED}),
    "terminate": frozenset(_S) - FINAL,
}
"""In which statuses what may be done."""

_CHAMPIONS: frozenset[Act] = frozenset({"start", "request signatures of", "complete", "suspend", "resume", "terminate"})
_PEOPLES: frozenset[Act] = frozenset({"approve", "say", "suspend", "resume", "terminate"})
PERSON = "/person"
"""Stands for the people who use the API and the command line. It cannot be an agent's address."""


class FormalConversation(OpenRequest):
    """A formal conversation as it stands; what was said is beside it, in the transcript."""

    status: ConversationStatus = ConversationStatus.DRAFT
    agreements: dict[str, Agreement] = Field(default_factory=dict)
    signatures: list[Signature] = Field(default_factory=list)
    awaited: list[str] = Field(default_factory=list)
    approved_by: str | None = None
    suspended_from: ConversationStatus | None = None
    reason: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def speakers(self) -> list[str]:
        """Participants that are not there only to listen."""
        return [who for who, role in self.participants.items() if role is not ConversationRole.OBSERVER]

    @property
    def pending_signers(self) -> list[str]:
        signed = {signature.signer_agent for signature in self.signatures}
        return [signer for signer in self.required_signers if signer not in signed]

    @property
    def digest(self) -> str:
        """SHA-256 of what is signed: what it is about, who takes part, and the agreements."""
        terms = {
            "type": self.type.value,
            "title": self.title,
            "description": self.description,
            "participants": {who: role.value for who, role in self.participants.items()},
            "agreements": {name: agreement.terms for name, agreement in self.agreements.items()},
        }
        return hashlib.sha256(json.dumps(terms, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def check(self, act: Act, who: str) -> None:
        """Whether `who` may do this now.

        Raises:
            NotAllowedNow: not in this status, or somebody else has the word.
            PermissionDenied: never by this one.
        """
        if self.status not in WHEN[act]:
            allowed = ", ".join(status.value for status in _S if status in WHEN[act])
            raise NotAllowedNow(
                f"The conversation is {self.status.value}; to {act} it must be one of: {allowed}.",
            )
        if who == PERSON and act in _PEOPLES:
            return
        if act == "approve":
            raise PermissionDenied(f"Conversations are approved by people, not by {who!r}.")
        if act in _CHAMPIONS:
            if who != self.champion:
                raise PermissionDenied(f"Only its champion, {self.champion!r}, may {act} a conversation, not {who!r}.")
            return
        self._check_speaker(act, who)

    def open(self, now: datetime) -> None:
        """Check who takes part, and begin. Raises `InvalidInput`."""
        strangers = [who for who in (*self.required_signers, self.champion) if who not in self.participants]
        if strangers:
            raise InvalidInput(f"{', '.join(map(repr, strangers))} must be among the participants.")
        listeners = [who for who in self.required_signers if who not in self.speakers]
        if listeners:
            raise InvalidInput(f"An observer does not sign: {', '.join(listeners)}. Choose another role.")
        if len(set(self.required_signers)) < len(self.required_signers):
            raise InvalidInput("A required signer is named twice. Each signs once.")
        if self.expires_at is not None and self.expires_at <= now:
            raise InvalidInput("`expires_at` has passed. Choose a later moment.")
        self.created_at = now
        self.status = ConversationStatus.DRAFT if self.draft else ConversationStatus.INITIATED

    def say(self, who: str, expects: Iterable[str]) -> None:
        """Note that somebody spoke, and from whom an answer is awaited."""
        self.check("say", who)
        if self.awaited and who not in (*self.awaited, self.champion, PERSON):
            raise NotAllowedNow(f"An answer of {', '.join(self.awaited)} is awaited before {who!r} may speak.")
        expected = [each for each in dict.fromkeys(expects) if each != who]
        strangers = [each for each in expected if each not in self.speakers]
        if strangers:
            raise InvalidInput(f"No answer can be expected of {', '.join(strangers)}: only of those who may speak.")
        self.awaited = [each for each in self.awaited if each != who and each not in expected] + expected
        self.status = ConversationStatus.PENDING_RESPONSE if self.awaited else ConversationStatus.ACTIVE

    def propose(self, who: str, name: str, terms: Any) -> None:
        """Put an agreement forward, or another wording of one: what was accepted of it is accepted no more."""
        self.check("propose", who)
        self._check_unsigned()
        self.agreements[name] = Agreement(terms=terms, proposed_by=who, accepted_by=[who])
        if self.status is ConversationStatus.INITIATED:
            self.status = ConversationStatus.ACTIVE

    def accept(self, who: str, name: str) -> None:
        self.check("accept", who)
        self._check_unsigned()
        if name not in self.agreements:
            raise InvalidInput(f"There is no agreement {name!r}. Proposed are: {', '.join(self.agreements) or 'none'}.")
        accepted = self.agreements[name].accepted_by
        if who not in accepted:
            accepted.append(who)

    def request_signatures(self, who: str) -> None:
        self.check("request signatures of", who)
        if not self.required_signers:
            raise NotAllowedNow("Nobody is required to sign. Complete the conversation.")
        self._check_consensus()
        self.status = ConversationStatus.PENDING_SIGNATURE

    def sign(self, signature: Signature) -> None:
        """Take a signature; with the last one the conversation is completed, where no approval is awaited."""
        who = signature.signer_agent
        self.check("sign", who)
        if who not in self.required_signers:
            raise PermissionDenied(f"{who!r} is not required to sign, but {', '.join(self.required_signers)}.")
        if who not in self.pending_signers:
            raise NotAllowedNow(f"{who!r} has signed already. Each signs once.")
        if signature.digest != self.digest:
            raise InvalidInput(f"The terms are not those that {who!r} wants to sign; their digest is {self.digest}.")
        self._check_consensus()
        self.signatures.append(signature)
        self._complete_if_done()

    def delegate(self, who: str, to: str) -> None:
        """Hand the duty to sign to another participant."""
        self.check("delegate", who)
        if not self.delegation_allowed:
            raise PermissionDenied("Delegation is not allowed in this conversation.")
        if who not in self.pending_signers:
            raise NotAllowedNow(f"{who!r} has no signature to give that could be handed on.")
        if to not in self.speakers or to in self.required_signers:
            raise InvalidInput(f"{to!r} cannot sign for {who!r}. Name a participant that speaks and does not sign yet.")
        self.required_signers[self.required_signers.index(who)] = to

    def approve(self, who: str) -> None:
        self.check("approve", who)
        self.approved_by = who
        if self.required_signers:
            self._complete_if_done()

    def complete(self, who: str) -> None:
        self.check("complete", who)
        if self.pending_signers:
            raise NotAllowedNow(f"Signatures are missing: {', '.join(self.pending_signers)}.")
        self._check_consensus()
        if self.requires_human_oversight and self.approved_by is None:
            raise NotAllowedNow("A person has to approve first, with `conversation.approve`.")
        self.status = ConversationStatus.COMPLETED

    def suspend(self, who: str, reason: str) -> None:
        self.check("suspend", who)
        self.suspended_from, self.reason, self.status = self.status, reason, ConversationStatus.SUSPENDED

    def resume(self, who: str) -> None:
        self.check("resume", who)
        self.status, self.suspended_from = self.suspended_from or ConversationStatus.ACTIVE, None

    def _check_speaker(self, act: Act, who: str) -> None:
        if who not in self.participants:
            raise PermissionDenied(f"{who!r} does not take part in the conversation, and may not {act} in it.")
        if who not in self.speakers:
            raise PermissionDenied(f"{who!r} is an observer, and may not {act}.")

    def _check_unsigned(self) -> None:
        if self.signatures:
            raise NotAllowedNow("The terms are signed by some already. Terminate the conversation to agree otherwise.")

    def _check_consensus(self) -> None:
        if not self.requires_consensus:
            return
        for name, agreement in self.agreements.items():
            missing = [who for who in self.speakers if who not in agreement.accepted_by]
            if missing:
                raise NotAllowedNow(f"Agreement {name!r} is not accepted by {', '.join(missing)}.")

    def _complete_if_done(self) -> None:
        approved = self.approved_by is not None or not self.requires_human_oversight
        if not self.pending_signers:
            self.status = ConversationStatus.COMPLETED if approved else ConversationStatus.PENDING_SIGNATURE
