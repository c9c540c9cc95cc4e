"""What commands print: tables and sentences for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_CELL = 100
"""Characters that a cell of a table shows."""

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    console.print_json(json.dumps(value, ensure_ascii=False, default=str))


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """Rows as a table, or the sentence `empty`."""
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*(escape(_shortened(_cell(row.get(column)))) for column in columns))
    console.print(table)


def print_fields(values: dict[str, Any]) -> None:
    """One thing as a list of its fields."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        console.print(f"[bold]{name.replace('_', ' '):<{width}}[/bold]  {escape(_cell(value))}", markup=True)


def _shortened(text: str) -> str:
    """As much of a text as a table has room for; `--json` has all of it."""
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
