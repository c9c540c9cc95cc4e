"""In which order steps are done where the workflow's mode says it, rather than each step for itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aos.workflows.definition.step import Step
from aos.workflows.definition.workflow import Mode

RANKS: Mapping[str, int] = {"leadership": 1, "strategy": 2, "senior": 3, "specialist": 4, "general": 5}
"""What a word in an agent's name says of its place in a hierarchy; the first come first."""
LOWEST_RANK = 10


def rank_of(agent: str | None) -> int:
    """The place of an agent in a hierarchy, by the words in its address."""
    words = re.split(r"[^a-z]+", (agent or "").lower())
    return min((RANKS[word] for word in words if word in RANKS), default=LOWEST_RANK)


def needs_by_mode(mode: Mode, steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """What each step needs because of the mode.

    In `sequential` each needs the one before. In `hierarchical` each needs all of the rank above it, as far as there
    is one. In `collaborative` the last combines what the others came to. In `parallel` and `graph` the mode says
    nothing.
    """
    ids = [step.id for step in steps]
    if mode == "sequential":
        return [(), *((id,) for id in ids[:-1])]
    if mode == "collaborative":
        return [*(() for _ in ids[:-1]), tuple(ids[:-1])]
    if mode == "hierarchical":
        return _by_rank(steps)
    return [() for _ in ids]


def _by_rank(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    ranks = [rank_of(step.agent) for step in steps]
    levels = {rank: tuple(step.id for step, found in zip(steps, ranks, strict=True) if found == rank) for rank in ranks}
    order = sorted(levels)
    above = {rank: levels[order[place - 1]] if place else () for place, rank in enumerate(order)}
    return [above[rank] for rank in ranks]
