"""What the answer of a member, or of a team within the team, means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from aos.agents.work import Contribution
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.messages import TeamResult


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer.

    Attributes:
        said: What was contributed; None where nothing was.
        error: Why not, as JSON.
        cost_usd, tokens: What it cost, also where nothing came of it.
    """

    said: Contribution | None = None
    error: Mapping[str, Any] = field(default_factory=dict)
    cost_usd: float = 0.0
    tokens: int = 0


def heard(message_type: str, answer: Any, *, of_team: bool) -> Heard:
    """Read an answer.

    Args:
        message_type: Of the message it came with.
        answer: Its data.
        of_team: Whether a team within the team gave it.
    """
    if message_type == ERROR_TYPE:
        return Heard(error=answer if isinstance(answer, dict) else {})
    if of_team:
        return _of_team(TeamResult.model_validate(answer))
    try:
        said = _contribution(answer)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        why = f"The contribution cannot be used: {where}: {first['msg']}."
        return Heard(error={"code": "contribution_invalid", "message": why})
    return Heard(said, cost_usd=said.cost_usd, tokens=said.tokens)


def _of_team(result: TeamResult) -> Heard:
    if not result.success:
        why = f"The team ended without success: {result.reason}."
        return Heard(error={"code": "team_failed", "message": why}, cost_usd=result.cost_usd)
    text = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
    said = Contribution(content=text, data=result.output, cost_usd=result.cost_usd)
    return Heard(said, cost_usd=result.cost_usd)


def _contribution(answer: Any) -> Contribution:
    """Words are what is said; an object without `content` is data."""
    if isinstance(answer, str):
        return Contribution(content=answer)
    if isinstance(answer, dict) and "content" not in answer:
        return Contribution(content=json.dumps(answer, ensure_ascii=False), data=answer)
    return Contribution.model_validate(answer)
