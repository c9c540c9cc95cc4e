"""Writes a report for people, as Markdown. What comes from the reviewed files cannot change the report's form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aos.tools.review.examine import Examination
from aos.tools.review.finding import SEVERITIES, WHOLE_TREE, Change, Comparison, Finding
from aos.tools.review.report import Report, Verdict

MOST_IN_TOP = 20
MOST_CHANGES = 15
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~!])")


def to_markdown(report: Report) -> str:
    """The whole report: summary, verdict, changes, gravest findings, each domain, metrics, tools."""
    sections = [
        [f"# Review of {_text(report.target)}", f"Made at {report.made_at.isoformat(timespec='seconds')}."],
        ["## Summary", _text(report.summary), _scores(report)],
        _verdict(report.verdict),
        _changes(report.comparison),
        _top(report.examinations),
        *(_domain(examination, report) for examination in report.examinations),
        _metrics(report.examinations),
        _tools(report.examinations),
    ]
    return "\n\n".join(block for section in sections for block in section if block) + "\n"


def _scores(report: Report) -> str:
    rows = [
        [
            examination.domain,
            f"{report.scores[examination.domain]:.2f}",
            *(str(examination.counts.get(severity, 0)) for severity in SEVERITIES),
        ]
        for examination in report.examinations
    ]
    return _table(["Domain", "Score (0 to 1)", *SEVERITIES], rows)


def _verdict(verdict: Verdict) -> list[str]:
    blocks = [
        "## Verdict",
        f"**{_text(verdict.selected)}** (confidence {verdict.confidence:.2f}). {_text(verdict.rationale)}",
    ]
    rows = [[_text(item.option), f"{item.score:.2f}", _text(item.reason)] for item in verdict.alternatives]
    return [*blocks, _table(["Option", "Score", "Reason"], rows)] if rows else blocks


def _changes(comparison: Comparison) -> list[str]:
    title = "## Since the last review"
    if comparison.first:
        return [title, "This is the first review of this target: there is nothing to compare with."]
    counts = f"{len(comparison.new)} new, {len(comparison.fixed)} fixed, {len(comparison.still_there)} still there."
    blocks = [title, counts]
    for name, changes in (("New", comparison.new), ("Fixed", comparison.fixed)):
        if changes:
            blocks += [f"### {name}", _list(changes)]
    return blocks


def _list(changes: Sequence[Change]) -> str:
    lines = [f"- {_text(change.label or change.fingerprint)}" for change in changes[:MOST_CHANGES]]
    rest = len(changes) - MOST_CHANGES
    return "\n".join([*lines, f"- and {rest} more"] if rest > 0 else lines)


def _top(examinations: Sequence[Examination]) -> list[str]:
    findings = sorted(
        (finding for examination in examinations for finding in examination.findings),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    if not findings:
        return ["## Gravest findings", "None."]
    rows = [[item.severity, item.domain, _place(item), _text(item.title)] for item in findings[:MOST_IN_TOP]]
    return ["## Gravest findings", _table(["Severity", "Domain", "Where", "What"], rows)]


def _domain(examination: Examination, report: Report) -> list[str]:
    blocks = [f"## {examination.domain.capitalize()}"]
    if examination.domain in report.notes:
        blocks.append(_text(report.notes[examination.domain]))
    if not examination.findings:
        return [*blocks, "No findings."]
    rows = [
        [
            item.severity,
            _place(item),
            f"{item.tool}/{item.rule}",
            _text(item.title),
            _code(item.evidence),
            _text(item.remedy),
        ]
        for item in examination.findings
    ]
    blocks.append(_table(["Severity", "Where", "Rule", "What", "Evidence", "Remedy"], rows))
    if examination.more:
        blocks.append("\n".join(f"- {more}" for more in examination.more))
    return blocks


def _metrics(examinations: Sequence[Examination]) -> list[str]:
    rows = [
        [tool, name.replace("_", " "), _text(_value(value))]
        for examination in examinations
        for tool, metrics in examination.metrics.items()
        for name, value in metrics.items()
    ]
    return ["## Metrics", _table(["Tool", "What", "Value"], rows)] if rows else []


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    return str(value)


def _tools(examinations: Sequence[Examination]) -> list[str]:
    rows = [
        [run.name, run.version, examination.domain, str(run.findings), str(run.duration_ms)]
        for examination in examinations
        for run in examination.tools
    ]
    return ["## Tools", _table(["Tool", "Version", "Domain", "Findings", "Milliseconds"], rows)] if rows else []


def _place(finding: Finding) -> str:
    if finding.file == WHOLE_TREE:
        return "whole tree"
    return _code(finding.file if finding.line is None else f"{finding.file}:{finding.line}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _text(text: str) -> str:
    """Words in a line or cell: no markup and no HTML gets through."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """A code span in a cell. Back-ticks would end it, and a bar would end the cell."""
    flat = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{flat}`" if flat else ""
