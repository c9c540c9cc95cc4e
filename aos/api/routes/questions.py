"""Questions: what messages of agents wait for a person to answer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.api.access import Cursor, Limit, system_of

router = APIRouter(tags=["questions"])


@router.get("/questions")
async def page(request: Request, agent: str | None = None, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """Open questions of all agents, or of one, with the words to answer them."""
    questions, following = await system_of(request).questions.page(agent=agent, limit=limit, cursor=cursor)
    return {"questions": questions, "cursor": following}
