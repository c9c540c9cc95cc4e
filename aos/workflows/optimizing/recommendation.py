"""A piece of advice on a workflow."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Technique = Literal["parallelization", "caching", "step_reordering", "agent_selection", "resource_right_sizing"]


class Recommendation(BaseModel):
    """One piece of advice.

    Attributes:
        steps: Which it is about; none for the workflow as a whole.
        what: What to do, and why.
        numbers: What it rests on.
        saves_seconds, saves_cost: What a run would have taken less, on average; None where that cannot be told.
    """

    model_config = ConfigDict(frozen=True)

    technique: Technique
    steps: list[str] = []
    what: str
    numbers: dict[str, Any] = {}
    saves_seconds: float | None = None
    saves_cost: float | None = None
