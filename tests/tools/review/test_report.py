from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aos.kernel.errors import InvalidInput
from aos.tools.review.capping import More
from aos.tools.review.examine import Examination, ToolRun
from aos.tools.review.finding import Change, Comparison, Domain, Finding
from aos.tools.review.markdown import to_markdown
from aos.tools.review.report import Report, build_report

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
DECISION = {
    "selected": "mend first",
    "rationale": "A key is in the open.",
    "alternatives": [{"option": "mend first", "score": 0.9, "reason": "cheap"}, {"option": "accept", "score": 0.2}],
    "confidence": 0.8,
}


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "tool": "bandit",
        "rule": "B307",
        "severity": "high",
        "file": "a|b.py",
        "line": 7,
        "title": "Use of eval <script>alert(1)</script>",
        "evidence": "x = eval(`a` | b)",
        "remedy": "Do not.",
        "domain": "security",
    }
    return Finding(**values | changes)


def examination(domain: Domain, *findings: Finding) -> Examination:
    return Examination(
        domain=domain,
        lines=1_000,
        findings=list(findings),
        more=[More(tool="ruff", rule="F401", severity="low", count=37)] if domain == "code" else [],
        counts={"high": len(findings)},
        metrics={"tool": {"functions": 12, "languages": {"Go": 5, "C": 2}}},
        tools=[ToolRun(name="tool", version="1.2", duration_ms=34, findings=len(findings))],
    )


def report(comparison: Comparison | None = None) -> Report:
    parts = [
        examination("security", finding()),
        examination("documentation"),
        examination("code", finding(domain="code", severity="low", rule="X1")),
    ]
    return build_report("my tree", parts, comparison or Comparison(first=True), DECISION, NOW)


def test_the_report_adds_up_what_was_found() -> None:
    made = report()

    assert [part.domain for part in made.examinations] == ["code", "security", "documentation"]
    assert made.counts == {"critical": 0, "high": 2, "medium": 0, "low": 0, "info": 0}
    assert made.scores["documentation"] == 1.0
    assert made.scores["security"] == pytest.approx(0.7071)
    assert made.summary == (
        "my tree has 1000 lines of code and prose. Findings: 2 (2 high). The verdict is: mend first."
    )


def test_the_report_survives_json() -> None:
    made = report()

    assert Report.model_validate_json(made.model_dump_json()) == made
    assert made.format == "aos.review/1"


def test_people_read_everything_that_matters() -> None:
    text = to_markdown(report())

    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        *("Summary", "Verdict", "Since the last review", "Gravest findings"),
        *("Code", "Security", "Documentation", "Metrics", "Tools"),
    ]
    assert "**mend first** (confidence 0.80). A key is in the open." in text
    assert "| accept | 0.20 |" in text
    assert "This is the first review of this target" in text
    assert "- and 37 more of ruff/F401" in text
    assert "| tool | languages | Go 5, C 2 |" in text
    assert "| tool | 1.2 | security | 1 | 34 |" in text
    assert text.index("| high | security |") < text.index("| low | code |")


def test_changes_are_listed_with_what_is_remembered() -> None:
    changes = Comparison(
        new=[Change(fingerprint=f"{n:016x}", label=f"new {n}") for n in range(20)],
        fixed=[Change(fingerprint="f" * 16)],
        still_there=[Change(fingerprint="a" * 16, label="old")],
    )

    made = report(changes)
    text = to_markdown(made)

    assert "20 are new, 1 are fixed and 1 are still there" in made.summary
    assert "20 new, 1 fixed, 1 still there." in text
    assert "- new 14\n- and 5 more" in text
    assert f"- {'f' * 16}" in text


def test_what_files_hold_cannot_change_the_reports_form() -> None:
    text = to_markdown(report())

    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "`x = eval('a' \\| b)`" in text
    assert "`a\\|b.py:7`" in text


@pytest.mark.parametrize("missing", ["selected", "rationale", "confidence"])
def test_an_incomplete_decision_is_refused(missing: str) -> None:
    decision = {key: value for key, value in DECISION.items() if key != missing}

    with pytest.raises(InvalidInput, match=missing):
        build_report("t", [], Comparison(), decision, NOW)


def test_a_domain_examined_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        build_report("t", [examination("code"), examination("code")], Comparison(), DECISION, NOW)
