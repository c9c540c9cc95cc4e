"""Formal conversations: of whom there are which, how one stands, and what was said in it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from aos.agents.conversations.formal_agent import TRANSCRIPT, TYPE
from aos.agents.conversations.formal_types import ConversationRole, ConversationStatus
from aos.api.access import Cursor, Limit, system_of
from aos.kernel.errors import InvalidInput, NotFound

router = APIRouter(tags=["conversations"])


@router.get("/conversations")
async def page(
    request: Request,
    participant: str | None = None,
    role: ConversationRole | None = None,
    status: ConversationStatus | None = None,
    to_sign: Annotated[bool, Query(description="Only those that wait for a signature")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Formal conversations of a participant or of a role."""
    if (participant is None) == (role is None):
        raise InvalidInput("Give either `participant` (an agent's address) or `role`.")
    index = system_of(request).formal_conversations
    found, following = await index.page(
        participant=participant, role=role, status=status, to_sign=to_sign, limit=limit, cursor=cursor
    )
    return {"conversations": found, "cursor": following}


@router.get("/conversations/{conversation_id}")
async def detail(
    conversation_id: str,
    request: Request,
    limit: Limit = 50,
    cursor: Annotated[int | None, Query(ge=0, description="Where the page before said to go on")] = None,
) -> dict[str, Any]:
    """How a formal conversation stands, and what was said in it last."""
    address = conversation_id if ":" in conversation_id else f"{TYPE}:{conversation_id}"
    directory = system_of(request).directory
    state = (await directory.detail(address))["state"] or {}
    if state.get("conversation") is None:
        raise NotFound(f"There is no formal conversation {address!r}.")
    try:
        page = await (await directory.conversations(address)).page(TRANSCRIPT, limit=limit, cursor=cursor)
        said: dict[str, Any] = {"messages": [_message(entry) for entry in page["entries"]], "cursor": page["cursor"]}
    except NotFound:
        said = {"messages": [], "cursor": None}
    return {"id": address, **state["conversation"], **said}


def _message(entry: dict[str, Any]) -> dict[str, Any]:
    meta = entry.get("meta", {})
    return {
        "message_id": entry["message_id"],
        "number": entry["number"],
        "sender_role": meta.get("role"),
        "sender_name": entry["who"],
        "content": entry["content"],
        "timestamp": entry["time"],
        "message_type": meta.get("message_type"),
        "labels": entry.get("labels", []),
    }
