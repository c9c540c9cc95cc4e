"""Likely bugs, dead code and syntax errors in Python, by ruff, with our rules and not the target's."""

from __future__ import annotations

import asyncio
from typing import Any

from aos.tools.review.analysers.analysis import Analyser, Analysis, Evidence
from aos.tools.review.finding import Finding, Severity
from aos.tools.review.process import PATIENCE, in_batches, run_json
from aos.tools.review.source_tree import SourceTree

NAME = "ruff"
_RULES = "E4,E7,E9,F,B,ASYNC,BLE,C4,DTZ,PERF,PIE,PLE,PLW,SIM"
_ARGUMENTS = (
    *("check", "--isolated", "--no-cache", "--exit-zero", "--quiet", "--output-format", "json"),
    # The newest syntax: what an older Python rejects is not wrong for that.
    *("--target-version", "py314", "--select", _RULES),
)
_SYNTAX = "invalid-syntax"
_SEVERITIES: tuple[tuple[str, Severity], ...] = (
    # The longest prefix that fits decides.
    ("E9", "high"),
    ("F", "medium"),
    ("F4", "low"),
    ("F7", "high"),
    ("F82", "high"),
    ("F841", "low"),
    ("F811", "low"),
    ("F541", "info"),
    ("PLE", "high"),
    ("PLW", "low"),
    ("B", "medium"),
    ("B9", "low"),
    ("B008", "low"),
    ("B028", "low"),
    ("ASYNC", "medium"),
    ("BLE", "low"),
    ("E722", "medium"),
    ("E4", "low"),
    ("E7", "low"),
    ("DTZ", "low"),
)


async def analyse(tree: SourceTree, patience: float = PATIENCE) -> Analysis:
    """Check the Python files. Comments that silence a rule (`noqa`) are honoured, and counted."""
    found: list[dict[str, Any]] = []
    for batch in in_batches(tree.absolute(tree.python)):
        found += await run_json(NAME, "ruff", [*_ARGUMENTS, "--", *batch], patience=patience)
    return await asyncio.to_thread(_analysis, tree, found)


def _analysis(tree: SourceTree, found: list[dict[str, Any]]) -> Analysis:
    evidence = Evidence(tree)
    findings: list[Finding] = []
    broken: set[str] = set()
    for item in found:
        path = tree.relative(item["filename"])
        rule = item["code"] or _SYNTAX
        if path is None or (rule == _SYNTAX and path in broken):
            continue  # after the first error, a parser only guesses
        if rule == _SYNTAX:
            broken.add(path)
        findings.append(_finding(rule, path, item, evidence))
    silenced = sum(tree.read(file.path).count("# noqa") for file in tree.python)
    return Analysis(findings, {"python_files": len(tree.python), "broken_files": len(broken), "silenced": silenced})


def _finding(rule: str, path: str, item: dict[str, Any], evidence: Evidence) -> Finding:
    line = max(1, item["location"]["row"])
    return Finding(
        tool=NAME,
        rule=rule,
        severity=_severity(rule),
        file=path,
        line=line,
        title=f"Syntax error: {item['message']}" if rule == _SYNTAX else item["message"],
        evidence=evidence.line(path, line),
        remedy=_remedy(item),
        domain="code",
    )


def _severity(rule: str) -> Severity:
    if rule == _SYNTAX:
        return "high"
    fitting = [(prefix, severity) for prefix, severity in _SEVERITIES if rule.startswith(prefix)]
    return max(fitting, key=lambda item: len(item[0]))[1] if fitting else "info"


def _remedy(item: dict[str, Any]) -> str:
    advice = (item.get("fix") or {}).get("message")
    more = f"See {item['url']}" if item.get("url") else "Mend the syntax."
    return f"{advice}. {more}" if advice else more


ANALYSER = Analyser(NAME, "code", analyse, distribution="ruff", python_only=True)
