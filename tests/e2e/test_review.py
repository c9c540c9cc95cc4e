"""The main job, whole: a code base is reviewed, and reviewed again after a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from aos.tools.review.archive import CONTENT_TYPE, pack

pytestmark = pytest.mark.asyncio(loop_scope="session")

DANGEROUS = '"""A module."""\n\nimport subprocess\n\nsubprocess.call(input(), shell=True)\n'
HARMLESS = '"""A module."""\n\n\ndef double(number: int) -> int:\n    """Twice the number."""\n    return 2 * number\n'
EVALUATED = '"""Another."""\n\n\ndef evaluate(text: str) -> object:\n    return eval(text)\n'


async def _review(http: httpx.AsyncClient, tree: Path, key: str) -> dict[str, Any]:
    stored = await http.post(
        "/api/v1/artifacts",
        params={"name": "source.tar.gz"},
        content=await pack(tree),
        headers={"Content-Type": CONTENT_TYPE},
    )
    task = {
        "task_type": "code_review",
        "title": "Review of a small tree",
        "target": "a-small-tree",
        "parameters": {"source": stored.raise_for_status().json()["id"]},
        "owner": "tests",
    }
    answer = await http.post(
        "/api/v1/tasks", json=task, params={"wait": 60}, headers={"Idempotency-Key": key}, timeout=90
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_code_base_is_reviewed_and_the_second_review_says_what_changed(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("# Small\n\nA small tree.\n")
    (tmp_path / "runner.py").write_text(DANGEROUS)

    first = await _review(http, tmp_path, "review-1")
    assert first["status"] == "completed", first
    assert {part["agent"] for part in first["participants"]} >= {"code", "security", "documentation", "cto"}
    assert first["result"]["changes"]["first_run"]
    report = json.loads((await http.get(f"/api/v1/artifacts/{first['result']['report']['json']}")).text)
    found = json.dumps(report)
    assert "runner.py" in found
    assert "shell" in found

    (tmp_path / "runner.py").write_text(HARMLESS)
    (tmp_path / "evaluator.py").write_text(EVALUATED)
    second = await _review(http, tmp_path, "review-2")
    changes = second["result"]["changes"]
    assert not changes["first_run"]
    assert changes["fixed"] >= 1
    assert changes["new"] >= 1
    assert changes["still_there"] >= 1
    for agent in ("code", "security", "documentation", "cto", f"task:{second['id']}"):
        assert (await http.get(f"/api/v1/agents/{agent}/verification")).json()["intact"], agent


async def test_the_same_key_is_the_same_review(http: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Empty\n")
    first = await _review(http, tmp_path, "review-3")
    again = await _review(http, tmp_path, "review-3")
    assert again["id"] == first["id"]
    assert again["repeated"]
