"""Scores turns against the purpose, and flags an agent that drifts, is busy but useless, or has overstayed.

The cost of a turn's score is bounded: a limited text against a limited number of statements, and a few sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from aos.agents.purpose import Purpose
from aos.agents.pursuit import Course, Flag, Pursuit


def score_turn(
    purpose: Purpose, pursuit: Pursuit, *, aligned: bool, useful: bool, usage: Mapping[str, float], now: datetime
) -> dict[str, str]:
    """Enter a turn into the course and set the flags anew.

    Args:
        purpose: What the agent is there for.
        pursuit: How it goes; changed.
        aligned: Whether what the turn did serves the purpose.
        useful: Whether it brought anything.
        usage: What it cost, as given to `turn.spend`.
        now: When it was.

    Returns:
        The flags that are new, with their reasons.
    """
    course = pursuit.course
    course.began = course.began or now
    course.scored += 1
    pace = max(1 / purpose.patience, 1 / course.scored)
    course.alignment = round(course.alignment + pace * (float(aligned) - course.alignment), 4)
    course.aligned_at = now if aligned else course.aligned_at
    course.without_progress = 0 if useful else course.without_progress + 1
    _spend(purpose, course, usage, now)
    found = flags_of(purpose, pursuit, now)
    new = {name: reason for name, reason in found.items() if name not in pursuit.flags}
    pursuit.flags = {
        name: Flag(reason=reason, since=pursuit.flags[name].since if name in pursuit.flags else now)
        for name, reason in found.items()
    }
    return new


def flags_of(purpose: Purpose, pursuit: Pursuit, now: datetime) -> dict[str, str]:
    """What is wrong with the pursuit at this moment, by name, with the reason."""
    course = pursuit.course
    if course.began is None:
        return {}
    flags: dict[str, str] = {}
    if course.scored >= purpose.patience and course.alignment < 0.5:
        flags["drifting"] = f"Of the last turns, {course.alignment:.0%} served the purpose {purpose.statement!r}."
    if course.without_progress >= purpose.patience:
        flags["busy_but_useless"] = f"{course.without_progress} turns in a row brought nothing."
    exceeded = _exceeded(purpose, course, now)
    if exceeded:
        flags["over_budget"] = exceeded
    served = course.aligned_at or course.began
    if purpose.cadence is not None and now - served > purpose.cadence:
        flags["behind"] = (
            f"Nothing served the purpose since {served:%Y-%m-%d %H:%M} UTC; {purpose.cadence} is expected."
        )
    over = _over(purpose, pursuit, course.began, served, now)
    if over:
        flags["due_for_retirement"] = over
    return flags


def _spend(purpose: Purpose, course: Course, usage: Mapping[str, float], now: datetime) -> None:
    if purpose.budget is None:
        return
    if course.spent_since is None or now - course.spent_since >= purpose.budget.period:
        course.spent, course.spent_since = {}, now
    for name in purpose.budget.limits:
        amount = 1.0 if name == "turns" else usage.get(name, 0.0)
        if amount:
            course.spent[name] = round(course.spent.get(name, 0.0) + amount, 6)


def _exceeded(purpose: Purpose, course: Course, now: datetime) -> str | None:
    budget = purpose.budget
    if budget is None or course.spent_since is None or now - course.spent_since >= budget.period:
        return None
    over = [
        f"{name} {course.spent[name]:g} of {limit:g}"
        for name, limit in budget.limits.items()
        if course.spent.get(name, 0.0) > limit
    ]
    return f"Spent within {budget.period}: {', '.join(over)}." if over else None


def _over(purpose: Purpose, pursuit: Pursuit, began: datetime, served: datetime, now: datetime) -> str | None:
    rule, metric = purpose.retirement, purpose.metric
    if rule.when_achieved and metric is not None and metric.target is not None:
        value = pursuit.course.value
        if value >= metric.target and not pursuit.active_goals:
            return f"The purpose is achieved: {metric.name} {value:g} of {metric.target:g}."
    if _longer(now - began, rule.after):
        return f"It has lived longer than {rule.after}."
    if _longer(now - served, rule.idle_for):
        return f"Nothing served the purpose for longer than {rule.idle_for}."
    return None


def _longer(span: timedelta, limit: timedelta | None) -> bool:
    return limit is not None and span > limit
