"""How good a code base is in a domain, from 0 to 1.

Each finding weighs by severity (`WEIGHTS`); the sum, over every 1,000 lines that people wrote, is the density. A tree
of less than 1,000 lines counts as that long, so that one finding in a small tree is not a catastrophe::

    density = sum(weight of each finding) / max(lines / 1000, 1)
    score   = 2 ** (-density / HALVED_BY)

A clean tree scores 1; every `HALVED_BY` points of density halve the score. Because a large tree would hide a single
grave finding, the gravest severity bounds the score from above (`CEILINGS`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from aos.tools.review.examine import Examination
from aos.tools.review.finding import SEVERITIES, Severity

WEIGHTS: Mapping[Severity, float] = {"critical": 40.0, "high": 10.0, "medium": 3.0, "low": 1.0, "info": 0.1}
CEILINGS: Mapping[Severity, float] = {"critical": 0.5, "high": 0.85}
HALVED_BY = 20.0
_LINES = 1_000


def density(counts: Mapping[Severity, int], lines: int) -> float:
    """Weighted findings for every 1,000 lines."""
    weight = sum(WEIGHTS[severity] * counts.get(severity, 0) for severity in SEVERITIES)
    return weight / max(lines / _LINES, 1.0)


def score(counts: Mapping[Severity, int], lines: int) -> float:
    """0..1 from findings by severity and the lines they were found in; 1 is without findings."""
    ceiling = min((most for severity, most in CEILINGS.items() if counts.get(severity, 0)), default=1.0)
    return round(min(ceiling, math.pow(2.0, -density(counts, lines) / HALVED_BY)), 4)


def score_of(examination: Examination) -> float:
    """The score of an examined domain: all findings count, listed or not."""
    return score(examination.counts, examination.lines)
