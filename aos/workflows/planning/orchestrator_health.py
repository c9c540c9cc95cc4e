"""How well work gets done here, as one number with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LOOKED_AT = 10
"""Tasks that ended last, by which failures are judged."""
_NO_AGENTS, _MOST_FAIL, _SOME_FAIL, _CROWDED = 30, 25, 10, 15

Status = Literal["healthy", "degraded", "critical"]


@dataclass(frozen=True, slots=True)
class OrchestratorHealth:
    """A score from 0 to 100, what it means, and what was taken off and why."""

    score: int
    status: Status
    reasons: tuple[str, ...]


def judge_health(*, agents: int, failed: int, ended: int, active: int, most_active: int) -> OrchestratorHealth:
    """Score how work gets done.

    Args:
        agents: Agents that take part in work.
        failed: Of the tasks that ended last, those that failed.
        ended: How many of those there are, at most `LOOKED_AT`.
        active: Tasks at work now.
        most_active: Tasks that may be at work.
    """
    found: list[tuple[int, str]] = []
    if agents == 0:
        found.append((_NO_AGENTS, "No agent does steps of work."))
    rate = failed / ended if ended else 0.0
    if rate > 0.2:
        lost = _MOST_FAIL if rate > 0.5 else _SOME_FAIL
        found.append((lost, f"{failed} of the last {ended} tasks failed."))
    if active > 0.8 * most_active:
        found.append((_CROWDED, f"{active} of {most_active} places for tasks are taken."))
    score = 100 - sum(lost for lost, _ in found)
    status: Status = "healthy" if score >= 80 else "degraded" if score >= 50 else "critical"
    return OrchestratorHealth(score, status, tuple(f"-{lost}: {why}" for lost, why in found))
