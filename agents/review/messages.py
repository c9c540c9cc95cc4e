"""What the agents of a review say to each other."""

from __future__ import annotations

from pydantic import BaseModel, Field

from aos.tools.review.finding import Domain


class SourceParameters(BaseModel):
    """What an examiner needs to know. `source` is the id of the artifact that holds the packed code base."""

    source: str = Field(description="artifact id of the packed source tree")


class Changes(BaseModel):
    """How the findings differ from those of the last run; `first_run` where there was none."""

    first_run: bool
    new: int
    fixed: int
    still_there: int


class Examined(BaseModel):
    """An examiner's answer. `examination` and `comparison` are the ids of the artifacts that hold them."""

    domain: Domain
    summary: str
    examination: str
    score: float
    counts: dict[str, int]
    changes: Changes
    comparison: str
    note: str = Field(default="", description="what a model adds in words")


class Verdict(BaseModel):
    """The CTO's answer, and the task's result. `report` holds the artifact ids of the report, by form."""

    summary: str
    decision: str
    rationale: str
    confidence: float
    score: float
    counts: dict[str, int]
    changes: Changes
    report: dict[str, str]
