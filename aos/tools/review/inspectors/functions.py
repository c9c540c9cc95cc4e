"""Length, complexity and nesting of functions in any of the languages lizard reads."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import lizard
import lizard_languages

from aos.tools.review.inspectors.each import each_file

_ANALYZER = lizard.FileAnalyzer(lizard.get_extensions([]))
# fmt: off
_BRACES = frozenset(
    (
        "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "cs", "java", "kt", "scala", "swift", "m", "mm",
        "js", "mjs", "cjs", "jsx", "ts", "tsx", "go", "rs", "php",
    )
)
# fmt: on
_NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def inspect(root: str, files: list[str]) -> dict[str, Any]:
    """Every function: `name`, `line`, `end`, `complexity`, and `depth` where the language has a measure of it."""
    return each_file(root, files, _functions)


def _functions(path: str, text: str) -> list[dict[str, Any]]:
    reader = lizard_languages.get_reader_for(path)
    if reader is None:
        return []
    depth = _depth_measure(path, text, reader)
    return [
        {
            "name": function.name,
            "line": max(1, function.start_line),
            "end": function.end_line,
            "complexity": function.cyclomatic_complexity,
            "depth": depth(function.start_line, function.end_line),
        }
        for function in _ANALYZER.analyze_source_code(path, text).function_list
    ]


def _depth_measure(path: str, text: str, reader: Any) -> Callable[[int, int], int | None]:
    extension = path.rpartition(".")[2].lower()
    if extension in ("py", "pyw", "pyi"):
        return _python_depth(text)
    if extension in _BRACES:
        return _brace_depth(text, reader)
    return lambda _start, _end: None


def _python_depth(text: str) -> Callable[[int, int], int | None]:
    depths: dict[int, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            depths[node.lineno] = _deepest(node.body)
    return lambda start, _end: depths.get(start)


def _deepest(statements: list[ast.stmt]) -> int:
    return max((_depth_of(statement) for statement in statements), default=0)


def _depth_of(statement: ast.stmt) -> int:
    if not isinstance(statement, _NESTING):
        return 0
    if isinstance(statement, ast.If) and len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
        return max(1 + _deepest(statement.body), _depth_of(statement.orelse[0]))  # elif goes no deeper
    return 1 + max(_deepest(body) for body in _bodies(statement))


def _bodies(statement: ast.stmt) -> list[list[ast.stmt]]:
    bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    bodies += [handler.body for handler in getattr(statement, "handlers", [])]
    bodies += [case.body for case in getattr(statement, "cases", [])]
    return bodies


def _brace_depth(text: str, reader: Any) -> Callable[[int, int], int | None]:
    """The most braces open inside a function, without its own."""
    before, most = [0], [0]
    open_now = 0
    for piece in reader.generate_tokens(text):
        if piece == "{":
            open_now += 1
            most[-1] = max(most[-1], open_now)
        elif piece == "}":
            open_now = max(0, open_now - 1)
        for _ in range(piece.count("\n")):
            before.append(open_now)
            most.append(open_now)

    def depth(start: int, end: int) -> int | None:
        inside = most[max(0, start - 1) : end]
        return max(0, max(inside) - before[max(0, start - 1)] - 1) if inside else None

    return depth
