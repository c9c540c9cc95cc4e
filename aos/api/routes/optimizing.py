"""What the runs of workflows tell: advice on one, and which of two does better."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.api.access import system_of
from aos.workflows.optimizing.ab_test import ABTest

router = APIRouter(tags=["workflows"])


@router.get("/workflow-advice/{workflow}")
async def advice(workflow: str, request: Request) -> dict[str, Any]:
    """Advice on a workflow, `name` or `name@version`, from up to a hundred of its runs; from ten on there is some."""
    return (await system_of(request).optimizer.advice(workflow)).model_dump(mode="json")


@router.post("/workflow-comparisons")
async def compare(test: ABTest, request: Request) -> dict[str, Any]:
    """Which of two workflows did better in the time of a test; the sizes of the samples, and what chance would do."""
    return (await system_of(request).optimizer.compare(test)).model_dump(mode="json")
