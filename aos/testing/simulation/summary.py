"""The results of a campaign as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aos.testing.simulation.campaign import Totals
from aos.testing.simulation.run import Report
from aos.testing.simulation.trouble import Trouble


def summary(totals: Totals) -> str:
    """Tables of what was run, injected and checked, and the command that replays each failure."""
    runs = ", ".join(f"{count} {name}" for name, count in sorted(totals.runs.items()))
    size = f"{totals.turns:,} turns, {totals.messages:,} messages, {totals.seconds / 3600:,.0f} hours"
    parts = [
        f"{sum(totals.runs.values()):,} runs ({runs}); {size} on the virtual clock",
        _table("Faults injected", ((trouble.value, totals.troubles[trouble]) for trouble in Trouble)),
        _table("Checked", sorted(totals.checked.items())),
        _table("Outside of the promises", sorted(totals.windows.items())),
        f"{len(totals.failures)} runs broke a promise." if totals.failures else "Every promise was kept.",
        *(failure(report) for report in totals.failures),
    ]
    return "\n\n".join(part for part in parts if part)


def failure(report: Report) -> str:
    """What one run broke, and how to see it again."""
    lines = [f"{report.workload}, seed {report.seed}:", *(f"  {problem}" for problem in report.problems[:10])]
    if len(report.problems) > 10:
        lines.append(f"  and {len(report.problems) - 10} more")
    return "\n".join([*lines, f"  again: {report.command}"])


def _table(title: str, rows: Iterable[tuple[str, int]]) -> str:
    return "\n".join([title, *_lines(rows)]) if (rows := list(rows)) else ""


def _lines(rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    return (f"  {name:<64} {count:>12,}" for name, count in rows)
