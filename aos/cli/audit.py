"""`aos audit`: recompute what must not have changed."""

from __future__ import annotations

from typing import Annotated

import typer

from aos.cli.output import console, errors, print_json
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="Check the audit trail.", no_args_is_help=True)


@app.command()
def verify(
    agent: Annotated[str | None, typer.Argument(help="One agent's address; all agents otherwise.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Recompute the hash chain of one agent's journal, or of all. Exit code 1 if one is broken."""
    path = f"/agents/{agent}/verification" if agent else "/audit/verification"
    found = call(url, key, lambda client: client.get(path), as_json=as_json)
    if as_json:
        print_json(found)
    elif found["intact"]:
        whose = f"The journal of {agent}" if agent else f"The journals of {found['agents']} agents"
        console.print(f"{whose}: {found['entries']} entries, every hash as it should be.")
    else:
        broken = found.get("problems") or [{"agent": agent, "problem": found["problem"]}]
        for item in broken:
            errors.print(f"[red]{item['agent']}[/red]: {item['problem']}")
    if not found["intact"]:
        raise typer.Exit(1)
