"""What the agents of a review say to each other."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SourceParameters(BaseModel):
    """What a review task needs to know. `source` is the id of the artifact that holds the packed code base."""

    source: str = Field(description="artifact id of the packed source tree")


class Changes(BaseModel):
    """How the findings differ from those of the last run; `first_run` where there was none."""

    first_run: bool
    new: int
    fixed: int
    still_there: int


class Examined(BaseModel):
    """An examiner's answer. The findings themselves are in the artifact."""

    domain: str
    summary: str
    examination: str = Field(description="artifact id of the examination as JSON")
    score: float
    counts: dict[str, int]
    changes: Changes
    new: list[str] = Field(description="fingerprints of findings that were not there last time")
    fixed: list[str] = Field(description="titles of findings that are gone")


class Report(BaseModel):
    """Artifact ids of the report."""

    json_: str = Field(serialization_alias="json", validation_alias="json")
    markdown: str


class Verdict(BaseModel):
    """The CTO's answer: the task's result."""

    summary: str
    decision: str
    rationale: str
    confidence: float
    score: float
    counts: dict[str, int]
    changes: Changes
    report: dict[str, str]
