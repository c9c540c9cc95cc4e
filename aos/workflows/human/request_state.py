"""What a request remembers, and what is shown of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from aos.kernel.message import format_time
from aos.workflows.human.request import HumanAnswer, HumanRequest

_SHOWN = 1_000
"""Characters of a prompt that lists and events show."""


class RequestStatus(StrEnum):
    """Where a request stands. All but the first are final."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class RequestState(BaseModel):
    """The state of a request.

    Attributes:
        request: What was asked.
        escalated: Who was told as well, in the order of the steps.
        steps: Steps of the escalation that were taken.
        reminders: How often people were reminded.
        refused: Answers that were not accepted.
        held: What is needed to answer the requester.
    """

    request: HumanRequest | None = None
    status: RequestStatus = RequestStatus.OPEN
    opened_at: datetime | None = None
    expires_at: datetime | None = None
    closed_at: datetime | None = None
    escalated: list[str] = []
    steps: int = 0
    reminders: int = 0
    refused: int = 0
    answer: HumanAnswer | None = None
    held: dict[str, Any] | None = None

    @property
    def is_open(self) -> bool:
        return self.request is not None and self.status is RequestStatus.OPEN

    @property
    def audience(self) -> list[str]:
        """Who may answer; anybody where it is empty, which an escalation does not narrow."""
        named = self.request.audience if self.request else []
        return list(dict.fromkeys([*named, *self.escalated])) if named else []


def summary(state: RequestState) -> dict[str, Any]:
    """A request in a list and in events."""
    request = state.request
    assert request is not None  # noqa: S101  # callers show only what was asked
    return {
        "id": request.id,
        "kind": request.kind,
        "prompt": request.prompt[:_SHOWN],
        "status": state.status.value,
        "audience": state.audience,
        "requester": request.requester,
        "digest": request.digest,
        "opened_at": format_time(state.opened_at) if state.opened_at else None,
        "expires_at": format_time(state.expires_at) if state.expires_at else None,
        "closed_at": format_time(state.closed_at) if state.closed_at else None,
        "answered_by": state.answer.by if state.answer else None,
        "approved": state.answer.approved if state.answer else None,
    }


def detail(state: RequestState) -> dict[str, Any]:
    """A request with everything known of it."""
    request = state.request
    assert request is not None  # noqa: S101  # as above
    asked = request.model_dump(mode="json", by_alias=True, exclude={"audience"})
    told = {"escalated": state.escalated, "reminders": state.reminders, "refused": state.refused}
    return {
        **summary(state),
        **asked,
        "audience": state.audience,
        **told,
        "unsafe_words": request.unsafe_words,
        "answer": state.answer.model_dump(mode="json") if state.answer else None,
    }
