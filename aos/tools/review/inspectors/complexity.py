"""Cyclomatic complexity and maintainability of Python files, by radon."""

from __future__ import annotations

from typing import Any

from radon.complexity import cc_visit
from radon.metrics import mi_visit

from aos.tools.review.inspectors.each import each_file


def inspect(root: str, files: list[str]) -> dict[str, Any]:
    """Per file `maintainability` (0..100) and its `functions`: name, line and complexity."""
    return each_file(root, files, _measure)


def _measure(_path: str, text: str) -> list[dict[str, Any]]:
    functions = [
        {"name": block.fullname, "line": block.lineno, "complexity": block.complexity}
        for block in cc_visit(text)
        if block.letter in "FM"
    ]
    return [{"maintainability": mi_visit(text, multi=True), "functions": functions}]
