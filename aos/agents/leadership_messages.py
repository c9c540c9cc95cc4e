"""What is asked of a leadership agent."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

MAX_OPTIONS = 20


class Choice(BaseModel):
    """One option of a decision.

    Attributes:
        name: What it is called.
        description: What it means.
        merits: What is known of it, each 0 to 1: `impact`, `feasibility`, `risk` and `resources`. Of the last two
            little is good.
    """

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    merits: dict[Literal["impact", "feasibility", "risk", "resources"], float] = {}


class DecisionRequest(BaseModel):
    """A decision to be made; with `stakeholders`, after they were asked."""

    question: str = Field(min_length=1, max_length=2_000)
    options: list[Choice] = Field(min_length=1, max_length=MAX_OPTIONS)
    stakeholders: list[str] = Field(default=[], max_length=MAX_OPTIONS)
    context: dict[str, Any] = {}


class Consultation(BaseModel):
    """A colleague wants to know what to think of the options."""

    question: str
    options: list[Choice] = Field(min_length=1, max_length=MAX_OPTIONS)


class PlanRequest(BaseModel):
    objective: str = Field(min_length=1, max_length=1_000)
    initiatives: list[str] = Field(default=[], max_length=MAX_OPTIONS)
    horizon: str | None = None


class Member(BaseModel):
    agent: str
    capabilities: list[str] = []


class CoordinationRequest(BaseModel):
    tasks: list[str] = Field(min_length=1, max_length=100)
    members: list[Member] = Field(min_length=1, max_length=100)


class ReviewRequest(BaseModel):
    """How somebody did: what was reached of what was aimed at, by metric."""

    subject: str
    targets: dict[str, float] = Field(min_length=1)
    results: dict[str, float] = {}


class Query(BaseModel):
    question: str = Field(min_length=1, max_length=2_000)


class Initiative(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=800)
