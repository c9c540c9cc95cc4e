"""The picture of a run: all steps where there is room, those at work where there is not, and runs within runs."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from aos.cli.run_view import RunPicture, RunView
from aos.cli.run_watch import news

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
NOW = START + timedelta(seconds=75)


def a_run(**more: Any) -> dict[str, Any]:
    run: dict[str, Any] = {"id": "r1", "workflow": "w", "status": "running", "progress": 0.5, "cost_usd": 0.25}
    return {**run, "started_at": START.isoformat(), "completed_at": None, **more}


def a_step(id: str, status: str = "pending", **more: Any) -> dict[str, Any]:
    step: dict[str, Any] = {
        "id": id,
        "title": id,
        "kind": "agent",
        "status": status,
        "who": "hand",
        "needs": [],
        "error": None,
    }
    began = None if status == "pending" else START.isoformat()
    return {**step, "started_at": began, "completed_at": None, "retry_count": 0, **more}


def drawn(picture: RunPicture, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=120, height=height, highlight=False)
    console.print(RunView(picture, now=lambda: NOW))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def test_each_step_is_shown_with_who_does_it_for_how_long_and_at_what_cost() -> None:
    done = (START + timedelta(seconds=3)).isoformat()
    steps = [
        a_step("look", "completed", completed_at=done, cost_usd=0.25),
        a_step("each", "running", items={"total": 40, "done": 12, "failed": 1}, who="worker:${{ item }}"),
        a_step("again", "running", retry_count=2, round=3),
        a_step("ask", "waiting", request_id="request:q7"),
        a_step("odd", "failed", error="Out of paper."),
        a_step("end", needs=["look", "each"]),
    ]
    lines = drawn(RunPicture(a_run(title="Report"), steps))
    assert lines[0].startswith("● Report  r1  running")
    assert lines[1].endswith("3.0 s  0.2500 USD")
    assert "worker:… " in lines[2]
    assert lines[2].endswith("12/40, 1 failed  1 min 15 s")
    assert lines[3].endswith("round 4  1 min 15 s  attempt 3")
    assert lines[4].endswith("waiting  1 min 15 s  asks q7")
    assert lines[5].endswith("failed  1 min 15 s  Out of paper.")
    assert lines[6].endswith("after look, each")
    assert lines[7].endswith("50%  1 min 15 s  0.2500 USD")


def test_of_many_steps_those_at_work_are_shown_and_the_others_counted() -> None:
    steps = [a_step(f"a{n}", "completed") for n in range(40)]
    steps += [a_step("b1", "running"), a_step("b2", "skipped"), a_step("b3", "waiting")]
    steps += [a_step(f"c{n}") for n in range(40)]
    lines = drawn(RunPicture(a_run(), steps), height=14)
    assert [line.split(maxsplit=1)[1] for line in lines[1:-1]] == [
        "✓ 40 completed",
        "● b1  hand  1 min 15 s",
        "- 1 skipped",
        "○ b3  hand  waiting  1 min 15 s",
        "· 40 pending",
    ]


def test_a_run_within_a_run_is_shown_below_its_step() -> None:
    inner = RunPicture(a_run(), [a_step("inner", "running")])
    picture = RunPicture(a_run(), [a_step("outer", "running", kind="workflow")], {"outer": inner})
    lines = drawn(picture)
    assert "outer" in lines[1]
    assert lines[2].startswith("    ")
    assert "inner" in lines[2]


def test_without_a_terminal_there_is_a_line_for_each_change() -> None:
    seen: dict[str, str] = {}
    mapped = a_step("each", "running", items={"total": 100, "done": 3, "failed": 0})
    assert len(list(news(RunPicture(a_run(), [mapped, a_step("end")]), seen, NOW))) == 2
    assert list(news(RunPicture(a_run(), [mapped, a_step("end")]), seen, NOW)) == []
    further = {**mapped, "items": {"total": 100, "done": 14, "failed": 0}}
    [line] = news(RunPicture(a_run(), [further]), seen, NOW)
    assert "14/100" in line
    ended = [{**mapped, "status": "completed", "items": None}]
    lines = list(news(RunPicture(a_run(status="completed"), ended), seen, NOW))
    assert "each" in lines[0]
    assert "w completed" in lines[1]
