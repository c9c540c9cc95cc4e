"""The rows of a run: one for each step that has ended, each attempt that was not the last, each item and completion."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from aos.kernel.json_text import from_bytes
from aos.workflows.status import StepStatus

STEP, ATTEMPT, ITEM, PAGE, UNDO, LAST, CHECKPOINT = "step:", "try:", "item:", "over:", "undo:", "last:", "checkpoint:"
INPUTS, OUTPUT = "inputs", "output"
PAGE_SIZE = 50
"""Items of a map in one row."""


class Record(BaseModel):
    """One attempt at one step, or the end of one item.

    Attributes:
        step: The step's id, with `[index]` behind it for an item or a round.
        agent: Who or what did it.
        generation: Of the run, when it was done.
        completion: Its number among the completions that can be undone.
    """

    step: str
    status: StepStatus
    started_at: datetime
    finished_at: datetime
    agent: str | None = None
    attempt: int = 1
    generation: int = 0
    output: Any = None
    error: dict[str, Any] | None = None
    cost: float = 0.0
    tokens: int = 0
    completion: int = 0


class Completion(BaseModel):
    """A step that can be undone was completed, or may have been.

    Attributes:
        status: `open`, `compensated`, or `failed` where it could not be undone.
        error: Why it could not.
    """

    step: str
    place: int
    generation: int
    status: Literal["open", "compensated", "failed"] = "open"
    error: dict[str, Any] | None = None


def undone_and_left(rows: Iterable[Completion]) -> tuple[list[str], list[dict[str, Any]]]:
    """Steps that were undone, the latest completion first, and those that could not be, each with the reason."""
    newest = list(rows)[::-1]
    undone = [row.step for row in newest if row.status == "compensated"]
    left = [
        {"step": row.step, "reason": (row.error or {}).get("message", "")} for row in newest if row.status == "failed"
    ]
    return undone, left


def step_key(place: int) -> str:
    return f"{STEP}{place:04d}"


def attempt_key(place: int, serial: int) -> str:
    return f"{ATTEMPT}{place:04d}:{serial:07d}"


def item_prefix(place: int) -> str:
    return f"{ITEM}{place:04d}:"


def item_key(place: int, index: int) -> str:
    return f"{item_prefix(place)}{index:07d}"


def page_key(place: int, number: int) -> str:
    return f"{PAGE}{place:04d}:{number:06d}"


def undo_key(number: int) -> str:
    return f"{UNDO}{number:06d}"


def last_key(place: int) -> str:
    return f"{LAST}{place:04d}"


def checkpoint_key(name: str) -> str:
    return f"{CHECKPOINT}{name}"


def from_row(value: bytes | None) -> Any:
    """The JSON of a row as it is stored."""
    return None if value is None else from_bytes(value)
