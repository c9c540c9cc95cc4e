"""A decision tree: questions about the evidence, each with two ways on, down to an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_SHAPE = ConfigDict(frozen=True, extra="forbid")


class Leaf(BaseModel):
    """The end of a way: what to do."""

    model_config = _SHAPE

    action: str = Field(min_length=1)


class Branch(BaseModel):
    """One question: is the evidence `criterion` equal to, or greater than, `value`?"""

    model_config = _SHAPE

    criterion: str
    operator: Literal["==", ">"]
    value: Any
    then: Branch | Leaf
    otherwise: Branch | Leaf


Tree = Branch | Leaf

APPROVE = Leaf(action="approve")
"""The tree where none is given."""


def walk(tree: Tree, evidence: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Follow the evidence through the tree.

    Evidence that is missing, or cannot be compared, answers no.

    Returns:
        The action, and the questions on the way with their answers.
    """
    path: list[str] = []
    node = tree
    while isinstance(node, Branch):
        answer = _answer(node, evidence.get(node.criterion))
        path.append(f"{node.criterion} {node.operator} {node.value!r}: {'yes' if answer else 'no'}")
        node = node.then if answer else node.otherwise
    return node.action, path


def _answer(branch: Branch, found: Any) -> bool:
    if branch.operator == "==":
        return bool(found == branch.value)
    try:
        return bool(found > branch.value)
    except TypeError:
        return False
