"""Python functions with too many paths, and files that are hard to maintain, by radon."""

from __future__ import annotations

import asyncio
from typing import Any

from aos.tools.review.analysers.analysis import Analyser, Analysis, Evidence, Metric, not_analysed
from aos.tools.review.finding import Finding, Severity
from aos.tools.review.process import PATIENCE, inspect
from aos.tools.review.source_tree import SourceTree

NAME = "radon"
_COMPLEXITY: tuple[tuple[int, Severity], ...] = ((30, "high"), (20, "medium"), (10, "low"))
"""More paths than this: radon's ranks E, D and C."""
_MAINTAINABILITY: tuple[tuple[float, Severity], ...] = ((9, "medium"), (19, "low"))
"""An index up to this: radon's ranks C and B."""


async def analyse(tree: SourceTree, patience: float = PATIENCE) -> Analysis:
    """Measure the Python files. What this Python cannot parse is named."""
    request = {"root": str(tree.root), "files": [file.path for file in tree.python]}
    measured = await inspect(NAME, "complexity", request, patience=patience)
    return await asyncio.to_thread(_analysis, tree, measured)


def _analysis(tree: SourceTree, measured: dict[str, Any]) -> Analysis:
    evidence = Evidence(tree)
    findings: list[Finding] = []
    for file in measured["found"]:
        findings += [_complex(file["file"], function, severity, evidence) for function, severity in _too_complex(file)]
        severity = next((level for most, level in _MAINTAINABILITY if file["maintainability"] <= most), None)
        if severity is not None:
            findings.append(_hard_to_maintain(file, severity))
    findings += not_analysed(NAME, "code", measured["failed"].items())
    return Analysis(findings, _metrics(measured))


def _too_complex(file: dict[str, Any]) -> list[tuple[dict[str, Any], Severity]]:
    return [
        (function, severity)
        for function in file["functions"]
        for severity in [next((level for least, level in _COMPLEXITY if function["complexity"] > least), None)]
        if severity is not None
    ]


def _complex(path: str, function: dict[str, Any], severity: Severity, evidence: Evidence) -> Finding:
    return Finding(
        tool=NAME,
        rule="complexity",
        severity=severity,
        file=path,
        line=function["line"],
        title=f"{function['name']} has a cyclomatic complexity of {function['complexity']}",
        evidence=evidence.line(path, function["line"]),
        remedy="Split it by what it decides; up to 10 paths can be followed and tested.",
        domain="code",
    )


def _hard_to_maintain(file: dict[str, Any], severity: Severity) -> Finding:
    return Finding(
        tool=NAME,
        rule="maintainability",
        severity=severity,
        file=file["file"],
        title=f"The maintainability index is {file['maintainability']:.0f} of 100",
        remedy="Split the file into parts that can be understood alone.",
        domain="code",
    )


def _metrics(measured: dict[str, Any]) -> dict[str, Metric]:
    complexities = [function["complexity"] for file in measured["found"] for function in file["functions"]]
    indices = [file["maintainability"] for file in measured["found"]]
    return {
        "functions": len(complexities),
        "complexity_mean": round(sum(complexities) / len(complexities), 2) if complexities else 0.0,
        "complexity_max": max(complexities, default=0),
        "maintainability_mean": round(sum(indices) / len(indices), 1) if indices else 0.0,
        "not_analysed": len(measured["failed"]),
    }


ANALYSER = Analyser(NAME, "code", analyse, distribution="radon", python_only=True)
