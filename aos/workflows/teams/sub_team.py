"""Teams within a team: where they are reached, how long they may take, and what they may spend."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from aos.kernel.address import MAX_LENGTH
from aos.workflows.messages import TEAM_TYPE
from aos.workflows.teams.definition import Boardroom, Crew, Team

_LONGEST = timedelta(days=365)


def sub_team_address(team: str, task: str, attempt: int = 1) -> str:
    """Where the team is reached that does a task; one that does it again is another."""
    again = f".{attempt}" if attempt > 1 else ""
    address = f"{team}.{task}{again}"
    if len(address) <= MAX_LENGTH:
        return address
    # What follows the point is what tells a team within a team from the others.
    return f"{TEAM_TYPE}:{hashlib.sha256(address.encode()).hexdigest()[:40]}.{attempt}"


def longest(team: Team) -> timedelta:
    """Time by which a team has ended, whoever keeps it waiting."""
    if team.limits.time is not None:
        return team.limits.time + team.limits.patience
    if isinstance(team, Boardroom):
        return 2 * team.deadline + team.limits.patience
    total = team.limits.patience * (team.limits.turns + 1)
    if isinstance(team, Crew):
        inner = (longest(task.team) for task in team.tasks if task.team is not None)
        total += sum(inner, timedelta()) * (team.revisions + 1)
    return min(total, _LONGEST)


def left_to_spend(team: Team, spent: float, sub_team: Team) -> dict[str, float]:
    """The limit of a team within the team, where the team around it has one: what is left, or its own if that is less.

    What is left is above 0, or nobody would be asked.
    """
    if team.limits.usd is None:
        return {}
    left = team.limits.usd - spent
    return {"usd": left if sub_team.limits.usd is None else min(left, sub_team.limits.usd)}
