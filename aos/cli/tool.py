"""`aos tool`: see the tools agents may be granted."""

from __future__ import annotations

import typer

from aos.cli.output import print_json, print_rows
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="See the tools agents may be granted.", no_args_is_help=True)


@app.callback()
def tools() -> None:
    """See the tools agents may be granted."""


@app.command("list")
def list_tools(url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """List the tools, what a call does to the world, what it requires, and to whom they are granted."""
    found = call(url, key, lambda client: client.get("/tools"), as_json=as_json)
    if as_json:
        print_json(found)
        return
    rows = [
        {
            "name": row["name"],
            "effect": row["effect"],
            "risk": row["risk"],
            "requires": ", ".join(row["required_permissions"]) or None,
            "granted to": ", ".join([*row["granted_to"], *(f"{a} (not permitted)" for a in row["not_permitted"])])
            or None,
            "calls": row["statistics"]["calls"],
            "failures": row["statistics"]["failures"],
        }
        for row in found["tools"]
    ]
    columns = ("name", "effect", "risk", "requires", "granted to", "calls", "failures")
    print_rows(rows, columns, empty="There are no tools.")
