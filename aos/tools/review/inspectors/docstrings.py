"""Docstrings of public modules, classes and functions, by interrogate."""

from __future__ import annotations

import ast
from typing import Any

from interrogate.config import InterrogateConfig
from interrogate.visit import CoverageVisitor

from aos.tools.review.inspectors.each import each_file

_CONFIG = InterrogateConfig(
    ignore_init_method=True,
    ignore_magic=True,
    ignore_private=True,
    ignore_semiprivate=True,
    ignore_property_setters=True,
    ignore_overloaded_functions=True,
)
_FUNCTIONS = ("FunctionDef", "AsyncFunctionDef")


def inspect(root: str, files: list[str]) -> dict[str, Any]:
    """Every public definition: `name`, `type`, `line` (None for a module) and whether it is `covered`."""
    return each_file(root, files, _definitions)


def _definitions(path: str, text: str) -> list[dict[str, Any]]:
    visitor = CoverageVisitor(path, _CONFIG)
    visitor.visit(ast.parse(text))
    return [
        {"name": node.path, "type": node.node_type, "line": node.lineno, "covered": bool(node.covered)}
        for node in visitor.nodes
        if not _inside_function(node) and (node.node_type != "Module" or text.strip())
    ]


def _inside_function(node: Any) -> bool:
    return node.parent is not None and (node.parent.node_type in _FUNCTIONS or _inside_function(node.parent))
