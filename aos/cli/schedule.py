"""`aos schedule`: see what runs in a lane and what waits, and take waiting work back."""

from __future__ import annotations

from typing import Annotated

import typer

from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="See what runs in a lane and what waits for its turn.", no_args_is_help=True)

Lane = Annotated[str, typer.Option("--lane", help="Name of the lane.")]
_COLUMNS = ("work", "status", "priority", "deadline", "affinity", "owner", "since")


@app.command()
def show(
    lane: Annotated[str, typer.Argument(help="Name of the lane.")] = "main",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Works to show of each kind.")] = 20,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show a lane: its numbers, what runs, and what waits in which order."""
    shown = call(url, key, lambda client: client.get(f"/schedules/{lane}", limit=limit), as_json=as_json)
    if as_json:
        print_json(shown)
        return
    places = {"places": shown["max_running"], "of them for any work": shown["ordinary"]}
    print_fields({**places, **shown["counts"], **shown["statistics"]})
    console.print()
    print_rows(shown["running"], _COLUMNS, empty="Nothing runs.")
    console.print()
    print_rows(shown["waiting"], ("position", *_COLUMNS), empty="Nothing waits.")


@app.command()
def withdraw(
    work: Annotated[str, typer.Argument(help="Address of the work.")],
    lane: Lane = "main",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Take back a work that waits. One that was begun stays as it is."""
    path = f"/schedules/{lane}/works/{work}/withdraw"
    answer = call(url, key, lambda client: client.post(path), as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        console.print(f"{work} is taken back, unless it has begun.")
