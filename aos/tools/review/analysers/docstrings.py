"""Public Python definitions without a docstring, by interrogate."""

from __future__ import annotations

import asyncio
from typing import Any

from aos.tools.review.analysers.analysis import Analyser, Analysis, Evidence, not_analysed
from aos.tools.review.finding import WHOLE_TREE, Finding, Severity
from aos.tools.review.process import PATIENCE, inspect
from aos.tools.review.source_tree import SourceTree

NAME = "interrogate"
_COVERAGE: tuple[tuple[float, Severity], ...] = ((40, "medium"), (70, "low"))
"""Percent below which the whole is worth a finding."""
_WORDS = {"Module": "module", "ClassDef": "class"}


async def analyse(tree: SourceTree, patience: float = PATIENCE) -> Analysis:
    """Look at modules, classes and functions that are public and not part of the tests."""
    files = [file.path for file in tree.python if not file.test]
    seen = await inspect(NAME, "docstrings", {"root": str(tree.root), "files": files}, patience=patience)
    return await asyncio.to_thread(_analysis, tree, seen)


def _analysis(tree: SourceTree, seen: dict[str, Any]) -> Analysis:
    evidence = Evidence(tree)
    definitions = seen["found"]
    bare = [definition for definition in definitions if not definition["covered"]]
    findings = [_undocumented(definition, evidence) for definition in bare]
    coverage = 100 * (len(definitions) - len(bare)) / len(definitions) if definitions else 100.0
    severity = next((level for least, level in _COVERAGE if coverage < least), None)
    if severity is not None:
        findings.append(_coverage(coverage, severity))
    findings += not_analysed(NAME, "documentation", seen["failed"].items())
    return Analysis(
        findings,
        {
            "coverage_percent": round(coverage, 1),
            "definitions": len(definitions),
            "undocumented": len(bare),
            "not_analysed": len(seen["failed"]),
        },
    )


def _undocumented(definition: dict[str, Any], evidence: Evidence) -> Finding:
    kind, line = definition["type"], definition["line"]
    # interrogate names a definition "file.py:Class.method".
    name = definition["name"].rpartition(":")[2]
    return Finding(
        tool=NAME,
        rule=f"undocumented-{_WORDS.get(kind, 'function')}",
        severity="info",
        file=definition["file"],
        line=line,
        title=f"Public {_WORDS.get(kind, 'function')} {name} has no docstring",
        evidence=evidence.line(definition["file"], line),
        remedy="Say what it is for, and what a caller cannot see from its name and types.",
        domain="documentation",
    )


def _coverage(coverage: float, severity: Severity) -> Finding:
    return Finding(
        tool=NAME,
        rule="docstring-coverage",
        severity=severity,
        file=WHOLE_TREE,
        title=f"{coverage:.0f} % of the public definitions have a docstring",
        remedy="Begin with what other code imports most.",
        domain="documentation",
    )


ANALYSER = Analyser(NAME, "documentation", analyse, distribution="interrogate", python_only=True)
