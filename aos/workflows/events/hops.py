"""How many rules and patterns led to an event, carried as a label, which all that follows from a message has too.

Agents in between know nothing of it, and carry it nevertheless: a circle through them ends as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from aos.agents import Turn
from aos.kernel.errors import TerminalError

MOST_HOPS = 8
_ROOT = "hops"


class TooManyHops(TerminalError):
    """An event came of a chain of rules and patterns that is longer than allowed, most likely a circle."""

    code = "too_many_hops"


def hops_of(labels: Iterable[str]) -> int:
    """How many led here. Where labels were cut to their roots, as many as there may be: a circle must end."""
    found = 0
    for label in labels:
        root, _, number = label.partition(":")
        if root == _ROOT:
            found = max(found, int(number) if number.isdigit() else MOST_HOPS)
    return found


def hop(turn: Turn) -> None:
    """Count this turn's rule or pattern for all it sends.

    Raises:
        TooManyHops: there were as many as may be.
    """
    hops = hops_of(turn.labels)
    if hops >= MOST_HOPS:
        raise TooManyHops(
            f"{turn.agent!r} was led to by {hops} rules and patterns, one after the other; no more are followed. "
            "Look for a circle among them."
        )
    turn.label(f"{_ROOT}:{hops + 1}")
