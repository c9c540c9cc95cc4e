"""The roles of a leadership team: what each looks after, and the messages all of them understand."""

from __future__ import annotations

from collections.abc import Mapping

from aos.kernel.errors import SettingInvalid

ROLE_FOCUS: Mapping[str, tuple[str, ...]] = {
    "CEO": ("vision", "strategy", "leadership", "growth"),
    "CFO": ("finance", "risk", "compliance", "planning"),
    "CTO": ("technology", "innovation", "architecture", "security"),
    "CMO": ("marketing", "brand", "customer", "growth"),
    "COO": ("operations", "efficiency", "processes", "execution"),
    "CHRO": ("people", "culture", "talent", "development"),
}

ROLE_PERSONA: Mapping[str, str] = {
    "CEO": "leadership",
    "CFO": "finance",
    "CTO": "technology",
    "CMO": "marketing",
    "COO": "operations",
    "CHRO": "hr",
}

REPLY_TYPES: Mapping[str, str] = {
    "decision_request": "decision_response",
    "strategic_planning": "strategic_plan_response",
    "team_coordination": "coordination_response",
    "performance_review": "performance_assessment",
    "leadership_query": "leadership_response",
    "decision_consultation": "consultation_response",
    "strategic_initiative": "initiative_response",
}
"""What each kind of message is answered with."""


def focus_of(role: str) -> tuple[str, ...]:
    """What a role looks after. Raises `SettingInvalid`, naming the roles there are."""
    if role not in ROLE_FOCUS:
        raise SettingInvalid(f"There is no leadership role {role!r}. There are: {', '.join(ROLE_FOCUS)}.")
    return ROLE_FOCUS[role]
