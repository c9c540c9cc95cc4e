"""What a piece of work is measured by: criteria, each checked by a rule or scored by a judge."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_SHAPE = ConfigDict(frozen=True, extra="forbid")
_MOST_FAULT = 300
"""Characters of what is wrong: a schema's message may have the whole work in it."""


class Check(BaseModel):
    """Rules that need no judgement; all that are given must hold. A text is looked at in lower case, but by `matches`.

    Attributes:
        contains: Each of these is in it.
        excludes: None of these is.
        matches: A regular expression is found in it.
        least_words, most_words: How long it is.
        json_schema: Its data, or its text read as JSON, fits.
    """

    model_config = _SHAPE

    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    matches: str | None = None
    least_words: int | None = Field(default=None, ge=0)
    most_words: int | None = Field(default=None, ge=0)
    json_schema: dict[str, Any] | None = None

    @field_validator("matches")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a check needs at least one rule")
        return self

    def faults(self, content: str, data: Any) -> list[str]:
        """What is wrong with it, a phrase each."""
        text, words = content.lower(), len(content.split())
        found = [f"lacks {part!r}" for part in self.contains if part.lower() not in text]
        found += [f"contains {part!r}" for part in self.excludes if part.lower() in text]
        if self.matches is not None and not re.search(self.matches, content):
            found.append(f"does not match {self.matches!r}")
        if self.least_words is not None and words < self.least_words:
            found.append(f"has {words} words, at least {self.least_words} are wanted")
        if self.most_words is not None and words > self.most_words:
            found.append(f"has {words} words, at most {self.most_words} are wanted")
        if self.json_schema is not None:
            found += _misfits(self.json_schema, content, data)
        return found


class Criterion(BaseModel):
    """One thing that matters.

    Attributes:
        name: Of it.
        description: What a judge is to look at.
        weight: How much it matters.
        least: A score below this fails the whole, however good the rest is.
        check: Rules that score it 1 or 0. Without one a judge scores it.
    """

    model_config = _SHAPE

    name: str = Field(min_length=1, max_length=100)
    description: str = ""
    weight: float = Field(default=1.0, gt=0, le=1_000)
    least: float = Field(default=0.0, ge=0, le=1)
    check: Check | None = None


class Rubric(BaseModel):
    """Criteria, and how good the whole has to be (0..1)."""

    model_config = _SHAPE

    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=50)
    pass_mark: float = Field(default=0.7, ge=0, le=1)

    @property
    def for_the_judge(self) -> tuple[Criterion, ...]:
        """Those without a check."""
        return tuple(criterion for criterion in self.criteria if criterion.check is None)

    def check(self, content: str, data: Any) -> dict[str, list[str]]:
        """What the criteria with a check find wrong, by criterion, in phrases.

        Args:
            content: The work in words.
            data: The work as JSON, where it is.
        """
        return {
            criterion.name: [fault[:_MOST_FAULT] for fault in criterion.check.faults(content, data)]
            for criterion in self.criteria
            if criterion.check is not None
        }


class Assessment(BaseModel):
    """How a piece of work did.

    Attributes:
        score: Weighted mean of all criteria, 0..1.
        passed: It reaches the pass mark, and each criterion its least.
        scores: Of each criterion.
        faults: What to do better, a sentence each.
    """

    model_config = _SHAPE

    score: float
    passed: bool
    scores: dict[str, float]
    faults: tuple[str, ...] = ()


def assess(
    rubric: Rubric, checked: Mapping[str, Sequence[str]], judged: Mapping[str, float], remarks: str = ""
) -> Assessment:
    """Measure a piece of work.

    Args:
        rubric: By what.
        checked: What `rubric.check` found wrong with it.
        judged: A judge's scores, 0..1, of the criteria without a check; one that is missing counts as 0.
        remarks: The judge's words.
    """
    scores: dict[str, float] = {}
    faults: list[str] = []
    for criterion in rubric.criteria:
        if criterion.check is not None:
            wrong = checked[criterion.name]
            scores[criterion.name] = 0.0 if wrong else 1.0
            faults += [f"{criterion.name}: it {fault}." for fault in wrong]
        else:
            scores[criterion.name] = min(1.0, max(0.0, float(judged.get(criterion.name, 0.0))))
            if criterion.name not in judged:
                faults.append(f"{criterion.name}: the judge gave no score.")
    total = sum(criterion.weight for criterion in rubric.criteria)
    score = sum(criterion.weight * scores[criterion.name] for criterion in rubric.criteria) / total
    low = [criterion.name for criterion in rubric.criteria if scores[criterion.name] < criterion.least]
    faults += [f"{name}: {scores[name]:.2f} is below what it must have." for name in low]
    passed = score >= rubric.pass_mark - 1e-9 and not low
    if remarks and not passed:
        faults.append(remarks)
    return Assessment(score=round(score, 4), passed=passed, scores=scores, faults=tuple(faults))


def _misfits(schema: dict[str, Any], content: str, data: Any) -> list[str]:
    from jsonschema import Draft202012Validator

    if data is None:
        try:
            data = json.loads(content)
        except ValueError:
            return ["is not JSON"]
    errors = sorted(Draft202012Validator(schema).iter_errors(data), key=lambda error: error.json_path)
    return [f"does not fit the schema at {error.json_path}: {error.message}" for error in errors[:5]]
