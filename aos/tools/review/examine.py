"""Examines a source tree in one of three domains, with all of the domain's tools side by side."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, Field

from aos.kernel.errors import InvalidInput
from aos.tools.review.analysers import bandit, docstrings, licence, radon, readme, ruff, secrets, structure
from aos.tools.review.analysers.analysis import Analyser, Analysis
from aos.tools.review.capping import MOST_OF_A_RULE, More, capped
from aos.tools.review.finding import DOMAINS, SEVERITIES, Domain, Finding, Severity, ordered
from aos.tools.review.source_tree import SourceTree

ANALYSERS: tuple[Analyser, ...] = (
    ruff.ANALYSER,
    radon.ANALYSER,
    structure.ANALYSER,
    bandit.ANALYSER,
    secrets.ANALYSER,
    docstrings.ANALYSER,
    readme.ANALYSER,
    licence.ANALYSER,
)


class ToolRun(BaseModel):
    """A tool that was run. `findings` counts all of its findings, listed or not."""

    name: str
    version: str
    duration_ms: int
    findings: int


class Examination(BaseModel):
    """What one domain's tools found.

    Attributes:
        domain: Which of the three.
        lines: Lines that people wrote, which the score is relative to.
        findings: The gravest first, then by file and line; of each rule only the first few.
        more: How many findings of a rule are not listed.
        counts: All findings by severity, listed or not.
        known: Labels by fingerprint of all findings, listed or not: what to remember for the next comparison.
        metrics: What was measured, by tool.
        tools: What was run. A tool that has nothing to say about such a tree is not run.
    """

    domain: Domain
    lines: int
    findings: list[Finding] = Field(default_factory=list)
    more: list[More] = Field(default_factory=list)
    counts: dict[Severity, int] = Field(default_factory=dict)
    known: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    tools: list[ToolRun] = Field(default_factory=list)

    @property
    def total(self) -> int:
        """Number of findings, listed or not."""
        return sum(self.counts.values())


Progress: TypeAlias = Callable[[ToolRun, int, int], Awaitable[None]]
"""Called as each tool is done: the tool, how many are done, how many there are."""


async def examine(
    domain: Domain,
    tree: SourceTree,
    progress: Progress | None = None,
    *,
    most_of_a_rule: int = MOST_OF_A_RULE,
    analysers: Sequence[Analyser] = ANALYSERS,
) -> Examination:
    """Run the domain's tools. The same tree gives the same findings in the same order.

    An examination is complete or fails: findings of a tool that failed would look like fixed ones in a comparison.

    Raises:
        InvalidInput: there is no such domain.
        ToolFailed, ToolTimedOut, ToolMissing: a tool could not do its work. The other tools are ended.
    """
    if domain not in DOMAINS:
        raise InvalidInput(f"There is no domain {domain!r}. There are: {', '.join(DOMAINS)}.")
    chosen = [analyser for analyser in analysers if analyser.domain == domain and analyser.applies_to(tree)]
    finished: list[ToolRun] = []

    async def run(analyser: Analyser) -> tuple[Analysis, ToolRun]:
        started = time.perf_counter()
        analysis = await analyser.analyse(tree)
        done = ToolRun(
            name=analyser.name,
            version=analyser.version,
            duration_ms=round((time.perf_counter() - started) * 1000),
            findings=len(analysis.findings),
        )
        finished.append(done)
        if progress is not None:
            await progress(done, len(finished), len(chosen))
        return analysis, done

    return await asyncio.to_thread(_examination, domain, tree, await _side_by_side(chosen, run), most_of_a_rule)


async def _side_by_side(
    analysers: Sequence[Analyser], run: Callable[[Analyser], Awaitable[tuple[Analysis, ToolRun]]]
) -> list[tuple[Analysis, ToolRun]]:
    tasks = [asyncio.ensure_future(run(analyser)) for analyser in analysers]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        # Tools that are still at work end their processes before the error goes on.
        await asyncio.gather(*tasks, return_exceptions=True)


def _examination(
    domain: Domain, tree: SourceTree, results: list[tuple[Analysis, ToolRun]], most_of_a_rule: int
) -> Examination:
    findings = ordered(finding for analysis, _ in results for finding in analysis.findings)
    listed, more = capped(findings, most_of_a_rule)
    counts = Counter(finding.severity for finding in findings)
    return Examination(
        domain=domain,
        lines=tree.lines,
        findings=listed,
        more=more,
        counts={severity: counts[severity] for severity in SEVERITIES},
        known={finding.fingerprint: finding.label for finding in findings},
        metrics={done.name: analysis.metrics for analysis, done in results},
        tools=[done for _, done in results],
    )
