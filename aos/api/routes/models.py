"""The models there are to ask: providers, their state, and what they have cost."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.api.access import system_of

router = APIRouter(tags=["models"])


@router.get("/agents/ai-providers")
async def providers(request: Request) -> dict[str, Any]:
    """All providers: tier, model, whether each is configured, its health, breaker and price."""
    from aos.llm.overview import Overview

    models = system_of(request).models
    found = await Overview(models.any_router).providers()
    return {"configured": models.router is not None, "providers": found}
