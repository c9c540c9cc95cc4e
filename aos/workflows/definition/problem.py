"""What is wrong with a workflow, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.workflows.definition.templates import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: Stable; safe to match on.
        where: For a person: `step 'pay', with.amount`.
        message: What is wrong and what to do about it.
        place: The keys that lead there in the workflow's JSON: `("steps", 2, "with", "amount")`.
    """

    code: str
    where: str
    message: str
    place: Place = ()

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "where": self.where, "message": self.message}

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def dotted(place: Place) -> str:
    """`with.lines[0].price`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
