"""Keeps what people read short: the first findings of each rule, and how many more there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel

from aos.tools.review.finding import Finding, Severity

MOST_OF_A_RULE = 15


class More(BaseModel):
    """Findings of a rule that are counted, but not listed. `severity` is that of the gravest."""

    tool: str
    rule: str
    severity: Severity
    count: int

    def __str__(self) -> str:
        return f"and {self.count} more of {self.tool}/{self.rule}"


def capped(findings: Iterable[Finding], most: int = MOST_OF_A_RULE) -> tuple[list[Finding], list[More]]:
    """The first `most` findings of each tool's rule, in the order given, and the count of the others."""
    listed: list[Finding] = []
    seen: Counter[tuple[str, str]] = Counter()
    more: dict[tuple[str, str], More] = {}
    for finding in findings:
        key = (finding.tool, finding.rule)
        seen[key] += 1
        if seen[key] <= most:
            listed.append(finding)
        elif key in more:
            more[key].count += 1
        else:
            more[key] = More(tool=finding.tool, rule=finding.rule, severity=finding.severity, count=1)
    return listed, [more[key] for key in sorted(more)]
