"""A run of a workflow as a picture in the terminal: its steps with who does them, for how long, and at what cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

FINAL = ("completed", "failed", "cancelled", "compensated")
_STYLES = {
    "pending": ("·", "dim"),
    "running": ("●", "cyan"),
    "waiting": ("○", "yellow"),
    "paused": ("○", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
    "cancelled": ("-", "dim"),
    "compensating": ("↶", "magenta"),
    "compensated": ("↶", "magenta"),
}
_TEMPLATE = re.compile(r"\$\{\{.*?\}\}")
_AT_WORK = ("running", "waiting", "failed")
_MOST_NAME, _MOST_WHO = 32, 28
_FRAME = 5
"""Lines beside those of the steps."""


@dataclass(slots=True)
class RunPicture:
    """What is known of a run and, by the step that started it, of each run inside of it.

    Attributes:
        run: As `/workflow-runs/{id}` shows it.
        steps: As `…/steps` shows them, in their order.
        inner: The pictures of runs that steps started, by the step's id.
    """

    run: dict[str, Any]
    steps: list[dict[str, Any]]
    inner: dict[str, RunPicture] = field(default_factory=dict)


class RunView:
    """Draws the newest picture; times of what is under way go on between one picture and the next.

    Args:
        picture: The first.
        most: Steps that there is room for; as many as the terminal has where it is not given.
        now: Tells the time.
    """

    def __init__(
        self,
        picture: RunPicture,
        *,
        most: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.picture = picture
        self._most = most
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = self._most if self._most is not None else max(6, (options.height or console.height) - _FRAME)
        run = self.picture.run
        tree = Tree(self._head(run), guide_style="dim")
        self._add(tree, self.picture, room)
        yield Group(tree, self._foot(run))

    def _head(self, run: dict[str, Any]) -> Text:
        mark, style = _STYLES[run["status"]]
        title = _cut(run.get("title") or run["workflow"], _MOST_NAME)
        return Text.assemble((f"{mark} {title}", "bold"), f"  {run['id']}  ", (run["status"], style))

    def _foot(self, run: dict[str, Any]) -> Table:
        share = float(run["progress"])
        line = Table.grid(padding=(0, 2))
        said = [f"{share:.0%}", spoken(_seconds(run.get("started_at"), run["completed_at"], self._now()))]
        said += [f"{run['cost_usd']:.4f} USD"] if run["cost_usd"] else []
        bar = ProgressBar(total=1.0, completed=share, width=30, complete_style="green", finished_style="green")
        line.add_row(bar, *said)
        return line

    def _add(self, tree: Tree, picture: RunPicture, room: int) -> None:
        entries = list(shortened(picture.steps, room))
        widths = _widths([entry for entry in entries if not isinstance(entry, Text)])
        for entry in entries:
            if isinstance(entry, Text):
                tree.add(entry)
                continue
            branch = tree.add(self._line(entry, widths))
            inner = picture.inner.get(entry["id"])
            if inner is not None:
                self._add(branch, inner, max(6, room // 3))

    def _line(self, step: dict[str, Any], widths: tuple[int, int]) -> Text:
        mark, style = _STYLES[step["status"]]
        name, who = _cut(step["title"], _MOST_NAME), _cut(who_of(step), _MOST_WHO)
        dim = "dim" if style == "dim" else ""
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{mark} ", style)
        line.append(f"{name:<{widths[0]}}  ", dim)
        line.append(f"{who:<{widths[1]}}  ", "dim")
        line.append("  ".join(facts(step, self._now())), style if step["status"] in _AT_WORK else dim)
        return line


def facts(step: dict[str, Any], now: datetime) -> list[str]:
    """What there is to say of a step, beside its name and who does it."""
    status = step["status"]
    said = [] if status in ("pending", "completed", "running") else [status]
    if status == "pending" and step["needs"]:
        said.append(f"after {', '.join(step['needs'][:3])}{', …' if len(step['needs']) > 3 else ''}")
    items = step.get("items")
    if items:
        failed = f", {items['failed']} failed" if items["failed"] else ""
        said.append(f"{items['done']}/{items['total']}{failed}")
    if step.get("round") is not None:
        said.append(f"round {step['round'] + 1}")
    if step["started_at"]:
        said.append(spoken(_seconds(step["started_at"], step["completed_at"], now)))
    if step["retry_count"]:
        said.append(f"attempt {step['retry_count'] + 1}")
    if step.get("cost_usd"):
        said.append(f"{step['cost_usd']:.4f} USD")
    if step.get("request_id") and status == "waiting":
        said.append(f"asks {step['request_id'].removeprefix('request:')}")
    if status == "failed" and step["error"]:
        said.append(str(step["error"]))
    return said


def who_of(step: dict[str, Any]) -> str:
    """Who or what does a step."""
    return _TEMPLATE.sub("…", str(step.get("agent_id") or step.get("who") or step["kind"]))


def shortened(steps: Sequence[dict[str, Any]], room: int) -> Iterator[dict[str, Any] | Text]:
    """The steps, or where there are more than there is room for, those at work and a line for all between them."""
    if len(steps) <= room:
        yield from steps
        return
    shown = [place for place, step in enumerate(steps) if step["status"] in _AT_WORK][: max(1, room // 2)]
    start = 0
    for place in [*shown, len(steps)]:
        between = steps[start:place]
        if between:
            yield _counted(between)
        if place < len(steps):
            yield steps[place]
        start = place + 1


def spoken(seconds: float | None) -> str:
    """`0.4 s`, `3 min 20 s`, `2 h 5 min`; nothing where it is not known."""
    from aos.workflows.definition.mermaid import spoken as in_words

    return "" if seconds is None else in_words(seconds)


def _counted(steps: Sequence[dict[str, Any]]) -> Text:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step["status"]] = counts.get(step["status"], 0) + 1
    line = Text()
    for number, (status, count) in enumerate(counts.items()):
        mark, style = _STYLES[status]
        line.append(", " if number else f"{mark} ", style)
        line.append(f"{count} {status}", style)
    return line


def _widths(steps: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Of the names, and of those who do the steps."""
    names = max((len(step["title"]) for step in steps), default=0)
    whos = max((len(who_of(step)) for step in steps), default=0)
    return min(names, _MOST_NAME), min(whos, _MOST_WHO)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _seconds(start: str | None, end: str | None, now: datetime) -> float | None:
    if start is None:
        return None
    until = datetime.fromisoformat(end) if end else now
    return max(0.0, (until - datetime.fromisoformat(start)).total_seconds())
