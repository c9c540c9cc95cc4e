"""Weaknesses in Python code, by bandit."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aos.tools.review.analysers.analysis import Analyser, Analysis, Evidence, Metric, not_analysed
from aos.tools.review.finding import SEVERITIES, Finding, Severity
from aos.tools.review.languages import is_test
from aos.tools.review.masking import mask_literals
from aos.tools.review.process import PATIENCE, in_batches, run_json
from aos.tools.review.source_tree import SourceTree

NAME = "bandit"
_ARGUMENTS = ("--quiet", "--format", "json", "--exit-zero")
_HOLDS_SECRET = {
    "B105": "Possible password in a string",
    "B106": "Possible password given as an argument",
    "B107": "Possible password as the default of an argument",
}
_FINE_IN_TESTS = frozenset(("B101", "B404", "B603", "B607", *_HOLDS_SECRET))
"""Tests assert, start processes and use made-up passwords; real ones are found by the search for secrets."""
_NOQA = re.compile(r"#\s*noqa:\s*([A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)")
_LEVELS: dict[str, Severity] = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
_OUR_LEVELS: dict[str, Severity] = {
    "B105": "medium",
    "B106": "medium",
    "B107": "medium",
    "B404": "info",  # an import alone does nothing
    "B403": "info",
    "B101": "info",
    "B307": "high",  # eval
    "B102": "high",  # exec
}
_REMEDIES = {
    "B307": "Parse the input instead (ast.literal_eval, json), and never evaluate text that others wrote.",
    "B102": "Call the code by name, and never execute text that others wrote.",
    "B105": "Read it from a setting or a vault, and change the password: it is known by now.",
    "B106": "Read it from a setting or a vault, and change the password: it is known by now.",
    "B107": "Have the caller give it, read from a setting or a vault.",
    "B602": "Pass the command as a list, without a shell.",
    "B608": "Pass values as parameters of the query.",
    "B506": "Use yaml.safe_load.",
    "B501": "Leave certificate verification on.",
    "B113": "Give the call a timeout.",
}


async def analyse(tree: SourceTree, patience: float = PATIENCE) -> Analysis:
    """Check the Python files. Comments that silence a check (`nosec`, `noqa: S...`) are honoured, and counted.

    Files are named one by one: given a folder, bandit would take settings from `.bandit` files in it.
    """
    reports = [
        await run_json(NAME, "bandit", [*_ARGUMENTS, *batch], patience=patience)
        for batch in in_batches(tree.absolute(tree.python))
    ]
    return await asyncio.to_thread(_analysis, tree, reports)


def _analysis(tree: SourceTree, reports: list[dict[str, Any]]) -> Analysis:
    evidence = Evidence(tree)
    findings: list[Finding] = []
    failed: list[tuple[str, str]] = []
    silenced = 0
    for report in reports:
        for item in report["results"]:
            path = tree.relative(item["filename"])
            if path is None or (is_test(path) and item["test_id"] in _FINE_IN_TESTS):
                continue
            if _silenced_for_ruff(item["test_id"], evidence.line(path, item["line_number"])):
                silenced += 1
            else:
                findings.append(_finding(path, item, evidence))
        failed += [(tree.relative(e["filename"]) or e["filename"], e["reason"]) for e in report["errors"]]
        silenced += report["metrics"]["_totals"]["nosec"]
    metrics: dict[str, Metric] = {"silenced": silenced, "not_analysed": len(failed)}
    return Analysis([*findings, *not_analysed(NAME, "security", failed)], metrics)


def _silenced_for_ruff(rule: str, line: str) -> bool:
    """Whether the line says that it is meant so, in ruff's words: its rule S608 is bandit's B608."""
    found = _NOQA.search(line)
    return found is not None and f"S{rule[1:]}" in re.split(r"[,\s]+", found[1])


def _finding(path: str, item: dict[str, Any], evidence: Evidence) -> Finding:
    rule = item["test_id"]
    line = evidence.line(path, item["line_number"])
    return Finding(
        tool=NAME,
        rule=rule,
        severity=_severity(rule, item, in_tests=is_test(path)),
        file=path,
        line=max(1, item["line_number"]),
        title=_HOLDS_SECRET.get(rule) or item["issue_text"],
        evidence=mask_literals(line) if rule in _HOLDS_SECRET else line,
        remedy=f"{_REMEDIES.get(rule, '')} See {item['more_info']}".strip(),
        domain="security",
    )


def _severity(rule: str, item: dict[str, Any], *, in_tests: bool) -> Severity:
    """Bandit's own, a step lower where it is not sure, and in tests."""
    severity = _OUR_LEVELS.get(rule) or _LEVELS.get(item["issue_severity"], "info")
    doubt = int(item["issue_confidence"] == "LOW") + int(in_tests)
    return SEVERITIES[min(SEVERITIES.index(severity) + doubt, len(SEVERITIES) - 1)]


ANALYSER = Analyser(NAME, "security", analyse, distribution="bandit", python_only=True)
