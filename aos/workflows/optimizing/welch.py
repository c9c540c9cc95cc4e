"""Welch's t-test: whether two samples of unequal variance have means that differ by more than chance.

B. L. Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34 (1947). The tail of Student's distribution is the regularised incomplete beta function, evaluated by its
continued fraction with Lentz's method (Numerical Recipes, 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

_TERMS = 300
_PRECISION = 1e-12
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Welch:
    """Attributes: t: Statistic. freedom: Degrees of freedom. p: Chance of such a difference between equals."""

    t: float
    freedom: float
    p: float


def welch(a: Sequence[float], b: Sequence[float]) -> Welch | None:
    """Compare two samples; None where one has fewer than two values."""
    if len(a) < 2 or len(b) < 2:
        return None
    share_a, share_b = variance(a) / len(a), variance(b) / len(b)
    difference = fmean(a) - fmean(b)
    if share_a + share_b == 0:
        return Welch(math.copysign(math.inf, difference) if difference else 0.0, math.inf, 0.0 if difference else 1.0)
    t = difference / math.sqrt(share_a + share_b)
    freedom = (share_a + share_b) ** 2 / (share_a**2 / (len(a) - 1) + share_b**2 / (len(b) - 1))
    return Welch(t, freedom, two_sided_p(t, freedom))


def two_sided_p(t: float, freedom: float) -> float:
    """The chance that Student's t with these degrees of freedom is at least as far from zero."""
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
