"""Dead letters: what was given up, why, and to have it tried again."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request

from aos.api.access import Cursor, Limit, system_of

router = APIRouter(tags=["dead letters"])


@router.get("/deadletters")
async def page(
    request: Request,
    agent: str | None = None,
    status: Literal["open", "resubmitted"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Dead letters, newest first."""
    letters, following = await system_of(request).kernel.dead_letters.page(
        agent=agent, status=status, limit=limit, cursor=cursor
    )
    return {"dead_letters": [letter.to_json() for letter in letters], "cursor": following}


@router.get("/deadletters/{letter_id}")
async def detail(letter_id: str, request: Request) -> dict[str, Any]:
    """One dead letter with its message."""
    return (await system_of(request).kernel.dead_letters.get(letter_id)).to_json()


@router.post("/deadletters/{letter_id}/resubmit", status_code=202)
async def resubmit(letter_id: str, request: Request) -> dict[str, Any]:
    """Put the message into its mailbox again, under a new id."""
    message = await system_of(request).kernel.resubmit(letter_id)
    return {"dead_letter": letter_id, "message_id": message.id, "agent": message.to}
