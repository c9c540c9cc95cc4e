"""Lanes: what runs in them, what waits and at which place, and how they have done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.api.access import Limit, system_of

router = APIRouter(tags=["schedules"])


@router.get("/schedules/{lane}")
async def show(lane: str, request: Request, limit: Limit = 50) -> dict[str, Any]:
    """A lane with the first of its running and of its waiting works, in their order."""
    return await system_of(request).schedules.show(lane, limit=limit)


@router.get("/schedules/{lane}/works/{work}")
async def work(lane: str, work: str, request: Request) -> dict[str, Any]:
    """Where one work stands: its status, and its position in the line."""
    return await system_of(request).schedules.work(work, lane=lane)


@router.post("/schedules/{lane}/works/{work}/withdraw", status_code=202)
async def withdraw(lane: str, work: str, request: Request) -> dict[str, Any]:
    """Take back a work that waits. One that was begun stays as it is."""
    shown = await system_of(request).schedules.work(work, lane=lane)
    await system_of(request).schedules.withdraw(work, lane=lane)
    return {"lane": lane, "work": shown["work"], "status": "withdrawing"}
