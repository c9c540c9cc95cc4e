"""Size and structure, in any language: long files and functions, deep nesting, copies, missing tests."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, TypeAlias

from aos.tools.review.analysers.analysis import Analyser, Analysis, Evidence, Metric, not_analysed
from aos.tools.review.finding import WHOLE_TREE, Finding, Severity
from aos.tools.review.process import PATIENCE, inspect
from aos.tools.review.source_tree import SourceTree

NAME = "structure"
Steps: TypeAlias = tuple[tuple[int, Severity], ...]
"""A value above the first number has the first severity, and so on."""
_FILE_LINES: Steps = ((1_000, "medium"), (600, "low"))
_FUNCTION_LINES: Steps = ((150, "medium"), (80, "low"))
_COMPLEXITY: Steps = ((30, "high"), (20, "medium"), (10, "low"))
_DEPTH: Steps = ((6, "medium"), (4, "low"))
_SMALLEST_COPY = 200
"""Bytes: shorter files are alike by chance."""
_LINES_WITHOUT_TESTS = 100


async def analyse(tree: SourceTree, patience: float = PATIENCE) -> Analysis:
    """Measure all code. Lengths count outside of tests only."""
    request = {"root": str(tree.root), "files": [file.path for file in tree.code]}
    measured = await inspect("lizard", "functions", request, patience=patience)
    return await asyncio.to_thread(_analysis, tree, measured)


def _analysis(tree: SourceTree, measured: dict[str, Any]) -> Analysis:
    evidence = Evidence(tree)
    tests = {file.path for file in tree.code if file.test}
    python = {file.path for file in tree.python}
    findings = [*_long_files(tree), *_copies(tree), *_missing_tests(tree)]
    for function in measured["found"]:
        path = function["file"]
        if path not in tests:
            findings += _about(function, evidence, with_complexity=path not in python)
    # radon names the Python files among them.
    failed = [(path, reason) for path, reason in measured["failed"].items() if path not in python]
    findings += not_analysed(NAME, "code", failed)
    return Analysis(findings, _metrics(tree, measured))


def _about(function: dict[str, Any], evidence: Evidence, *, with_complexity: bool) -> list[Finding]:
    """`with_complexity`: not for Python, which radon measures better."""
    name, length = function["name"], function["end"] - function["line"] + 1
    checks: list[tuple[str, Severity | None, str, str]] = [
        (
            "long-function",
            _step(length, _FUNCTION_LINES),
            f"{name} is {length} lines long",
            "Split it into parts that have names.",
        ),
        (
            "deep-nesting",
            _step(function["depth"] or 0, _DEPTH),
            f"{name} nests {function['depth']} levels deep",
            "Return early, or move the inner part into a function.",
        ),
    ]
    if with_complexity:
        severity = _step(function["complexity"], _COMPLEXITY)
        title = f"{name} has a cyclomatic complexity of {function['complexity']}"
        checks.append(("complexity", severity, title, "Split it by what it decides."))
    return [
        Finding(
            tool=NAME,
            rule=rule,
            severity=severity,
            file=function["file"],
            line=function["line"],
            title=title,
            evidence=evidence.line(function["file"], function["line"]),
            remedy=remedy,
            domain="code",
        )
        for rule, severity, title, remedy in checks
        if severity is not None
    ]


def _long_files(tree: SourceTree) -> list[Finding]:
    return [
        Finding(
            tool=NAME,
            rule="long-file",
            severity=severity,
            file=file.path,
            title=f"The file has {file.lines} lines",
            remedy="Split it by what its parts are about.",
            domain="code",
        )
        for file in tree.code
        for severity in [_step(file.lines, _FILE_LINES)]
        if severity is not None and not file.test
    ]


def _copies(tree: SourceTree) -> list[Finding]:
    alike: dict[str, list[str]] = defaultdict(list)
    for file in tree.code:
        if file.bytes >= _SMALLEST_COPY:
            alike[file.digest].append(file.path)
    return [
        Finding(
            tool=NAME,
            rule="duplicate-file",
            severity="low",
            file=copy,
            title=f"The file is the same as {paths[0]}",
            evidence=f"same content as {paths[0]}",
            remedy="Keep one, and have the others use it.",
            domain="code",
        )
        for paths in alike.values()
        for copy in paths[1:]
    ]


def _missing_tests(tree: SourceTree) -> list[Finding]:
    lines = sum(file.lines for file in tree.code)
    if lines < _LINES_WITHOUT_TESTS or any(file.test for file in tree.code):
        return []
    return [
        Finding(
            tool=NAME,
            rule="no-tests",
            severity="medium",
            file=WHOLE_TREE,
            title="There are no tests",
            remedy="Add a tests folder, beginning with what would hurt most if it broke.",
            domain="code",
        )
    ]


def _step(value: int, steps: Steps) -> Severity | None:
    return next((severity for above, severity in steps if value > above), None)


def _metrics(tree: SourceTree, measured: dict[str, Any]) -> dict[str, Metric]:
    code = tree.code
    longest = max(code, key=lambda file: file.lines, default=None)
    lengths = [function["end"] - function["line"] + 1 for function in measured["found"]]
    return {
        "files": len(tree.files),
        "files_left_out": len(tree.left_out),
        "code_lines": sum(file.lines for file in code if not file.test),
        "test_lines": sum(file.lines for file in code if file.test),
        "languages": tree.languages,
        "longest_file": longest.path if longest else "",
        "longest_file_lines": longest.lines if longest else 0,
        "functions": len(lengths),
        "longest_function_lines": max(lengths, default=0),
        "not_analysed": len(measured["failed"]),
    }


ANALYSER = Analyser(NAME, "code", analyse)
