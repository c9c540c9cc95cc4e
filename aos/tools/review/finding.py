"""A finding: one thing a tool has to say about one place, with an identity that survives edits elsewhere."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

from aos.tools.review.masking import mask

Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
Domain: TypeAlias = Literal["code", "security", "documentation"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
DOMAINS: tuple[Domain, ...] = ("code", "security", "documentation")
WHOLE_TREE = "."
"""`Finding.file` of what concerns the tree and no file of it."""

_LONGEST_EVIDENCE = 200
_LONGEST_TITLE = 240
_LONGEST_LINE = 4_000
"""Characters of a line that are looked at. The rest could not be shown anyway, and masking it costs time."""


class Finding(BaseModel):
    """One thing found.

    Attributes:
        tool: Which tool says so.
        rule: The tool's name for it, stable between runs.
        severity: From critical to info.
        file: POSIX path relative to the tree, or `WHOLE_TREE`.
        line: 1-based; None where no line is meant.
        title: What is wrong, in a sentence.
        evidence: The offending line, shortened, without secrets.
        remedy: What to do.
        domain: Which review it belongs to.
        ordinal: Tells findings apart that are alike in all but their line: 0 for the first.
    """

    model_config = ConfigDict(frozen=True)

    tool: str
    rule: str
    severity: Severity
    file: str
    line: int | None = Field(default=None, ge=1)
    title: str
    evidence: str = ""
    remedy: str = ""
    domain: Domain
    ordinal: int = Field(default=0, ge=0)

    @field_validator("evidence")
    @classmethod
    def _fit_to_show(cls, text: str) -> str:
        return _shortened(mask(text.strip()[:_LONGEST_LINE]), _LONGEST_EVIDENCE)

    @field_validator("title", "remedy")
    @classmethod
    def _without_secrets(cls, text: str) -> str:
        return _shortened(mask(text.strip()[:_LONGEST_LINE]), _LONGEST_TITLE)

    @field_validator("file")
    @classmethod
    def _relative(cls, path: str) -> str:
        if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
            raise ValueError(f"{path!r} is not a POSIX path relative to the tree")
        return path

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def fingerprint(self) -> str:
        """16 hex digits, the same as long as the offending text is: lines added above do not change it."""
        identity = (self.tool, self.rule, self.file, " ".join(self.evidence.split()), str(self.ordinal))
        return hashlib.sha256("\0".join(identity).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The finding in a line, to be remembered along with its fingerprint."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return _shortened(f"{self.severity} {place} {self.tool}/{self.rule}: {self.title}", _LONGEST_EVIDENCE)


class Change(BaseModel):
    """A finding as far as two runs need to be compared. `label` is empty if nobody remembered it."""

    fingerprint: str
    label: str = ""


class Comparison(BaseModel):
    """What changed since the last run. `first` says that there was none to compare with."""

    first: bool = False
    new: list[Change] = Field(default_factory=list)
    fixed: list[Change] = Field(default_factory=list)
    still_there: list[Change] = Field(default_factory=list)


Known: TypeAlias = Mapping[str, str] | Iterable["Finding | str"]
"""Findings of a run: labels by fingerprint, or the findings, or bare fingerprints."""


def compare(previous: Known | None, current: Known) -> Comparison:
    """Say what is new, fixed and still there.

    Args:
        previous: The last run; None if there was none.
        current: This run.
    """
    after = _labels(current)
    if previous is None:
        return Comparison(first=True, new=_changes(after))
    before = _labels(previous)
    return Comparison(
        new=_changes({key: label for key, label in after.items() if key not in before}),
        fixed=_changes({key: label for key, label in before.items() if key not in after}),
        still_there=_changes({key: label for key, label in after.items() if key in before}),
    )


def merged(comparisons: Iterable[Comparison]) -> Comparison:
    """Several comparisons as one. It is a first one only if all are."""
    parts = list(comparisons)
    return Comparison(
        first=bool(parts) and all(part.first for part in parts),
        new=[change for part in parts for change in part.new],
        fixed=[change for part in parts for change in part.fixed],
        still_there=[change for part in parts for change in part.still_there],
    )


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Numbered and sorted: the gravest first, then by file and line. The same findings give the same list."""
    alike: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        alike[finding.model_copy(update={"ordinal": 0}).fingerprint].append(finding)
    numbered = [
        finding.model_copy(update={"ordinal": ordinal})
        for group in alike.values()
        for ordinal, finding in enumerate(sorted(group, key=_place))
    ]
    return sorted(numbered, key=_place)


def _place(finding: Finding) -> tuple[int, str, int, str, str, str]:
    severity = SEVERITIES.index(finding.severity)
    return severity, finding.file, finding.line or 0, finding.tool, finding.rule, finding.fingerprint


def _labels(known: Known) -> dict[str, str]:
    if isinstance(known, Mapping):
        return dict(known)
    return dict((item, "") if isinstance(item, str) else (item.fingerprint, item.label) for item in known)


def _changes(labels: Mapping[str, str]) -> list[Change]:
    return [Change(fingerprint=key, label=label) for key, label in labels.items()]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
