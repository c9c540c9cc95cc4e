from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aos.tools.review.finding import Finding, compare, merged, ordered


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "tool": "ruff",
        "rule": "F401",
        "severity": "low",
        "file": "a/b.py",
        "line": 3,
        "title": "`os` imported but unused",
        "evidence": "import os",
        "domain": "code",
    }
    return Finding(**values | changes)


def test_the_fingerprint_survives_lines_added_above_and_reformatting() -> None:
    first = finding()

    assert finding(line=40, evidence="   import   os ").fingerprint == first.fingerprint
    assert len(first.fingerprint) == 16


@pytest.mark.parametrize("change", [{"tool": "x"}, {"rule": "x"}, {"file": "x"}, {"evidence": "x"}, {"ordinal": 1}])
def test_the_fingerprint_differs_with_everything_that_makes_a_finding(change: dict[str, Any]) -> None:
    assert finding(**change).fingerprint != finding().fingerprint


def test_identical_findings_in_several_lines_are_told_apart_in_order() -> None:
    found = ordered([finding(line=9), finding(line=2), finding(line=5)])

    assert [(item.line, item.ordinal) for item in found] == [(2, 0), (5, 1), (9, 2)]
    assert len({item.fingerprint for item in found}) == 3


def test_findings_are_ordered_by_severity_then_file_then_line() -> None:
    found = [
        finding(severity="info", file="a.py", evidence="1"),
        finding(severity="high", file="z.py", evidence="2"),
        finding(severity="high", file="b.py", line=7, evidence="3"),
        finding(severity="high", file="b.py", line=None, evidence="4"),
    ]

    assert [item.evidence for item in ordered(found)] == ["4", "3", "2", "1"]
    assert ordered(reversed(found)) == ordered(found)


def test_a_finding_survives_json_with_its_fingerprint() -> None:
    original = finding(ordinal=2)

    again = Finding.model_validate_json(original.model_dump_json())

    assert again == original
    assert original.model_dump()["fingerprint"] == again.fingerprint


def test_a_finding_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        finding().line = 4  # type: ignore[misc]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\\b", ""])
def test_a_file_outside_of_the_tree_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="relative to the tree"):
        finding(file=path)


def test_evidence_is_short_and_without_secrets() -> None:
    item = finding(evidence="x" * 500 + " ", title='password = "hunter2hunter2"')

    assert len(item.evidence) == 200
    assert item.title == 'password = "***"'


def test_two_runs_are_compared() -> None:
    gone, stays, comes = finding(evidence="gone"), finding(evidence="stays"), finding(evidence="comes")

    result = compare({gone.fingerprint: gone.label, stays.fingerprint: stays.label}, [stays, comes])

    assert [change.fingerprint for change in result.new] == [comes.fingerprint]
    assert [change.fingerprint for change in result.still_there] == [stays.fingerprint]
    assert [change.label for change in result.fixed] == ["low a/b.py:3 ruff/F401: `os` imported but unused"]
    assert not result.first


def test_bare_fingerprints_are_enough_to_compare() -> None:
    item = finding()

    result = compare([item.fingerprint, "0" * 16], [item])

    assert [change.fingerprint for change in result.fixed] == ["0" * 16]
    assert [change.label for change in result.still_there] == [item.label]


def test_without_a_last_run_everything_is_new() -> None:
    assert compare(None, [finding()]).first
    assert len(compare(None, [finding()]).new) == 1
    assert not compare([], []).first


def test_comparisons_are_added_up() -> None:
    total = merged([compare(None, [finding()]), compare(["f"], [finding(evidence="x")])])

    assert (len(total.new), len(total.fixed), total.first) == (2, 1, False)
