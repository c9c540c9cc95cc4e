"""The rules and patterns that are declared for events, and what is odd about them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.api.access import system_of

router = APIRouter(tags=["events"])


@router.get("/event-rules")
async def event_rules(request: Request) -> dict[str, Any]:
    """What is declared. How often a rule was followed or a pattern matched is in the state of its agent."""
    declared = system_of(request).declared_events
    return {
        "rules": [{"agent": rule.address, **rule.model_dump(mode="json", by_alias=True)} for rule in declared.rules],
        "patterns": [
            {"agent": pattern.address, "topic": pattern.topic, **pattern.model_dump(mode="json", by_alias=True)}
            for pattern in declared.patterns
        ],
        "warnings": declared.warnings,
    }
