"""Counts weighted votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ballot:
    """Counted votes.

    Attributes:
        given: Weight of all who voted.
        shares: Of the given weight, by option, the most first.
    """

    given: float
    shares: dict[str, float]

    def leader_above(self, share: float) -> str | None:
        """The option with more than this share, if it is ahead of all others."""
        ranked = list(self.shares.items())
        if not ranked or ranked[0][1] <= share:
            return None
        ahead = len(ranked) == 1 or ranked[0][1] > ranked[1][1]
        return ranked[0][0] if ahead else None


def tally(votes: Mapping[str, tuple[str, float]]) -> Ballot:
    """Count votes: by voter, the option and the voter's weight. Equal options are in the order of the alphabet."""
    given = sum(weight for _, weight in votes.values())
    totals: dict[str, float] = {}
    for option, weight in votes.values():
        totals[option] = totals.get(option, 0.0) + weight
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return Ballot(given, {option: round(weight / given, 6) for option, weight in ranked})
