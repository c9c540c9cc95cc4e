"""`aos deadletter`: what was given up, and to have it tried again."""

from __future__ import annotations

from typing import Annotated

import typer

from aos.cli.output import console, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="See what was given up, and have it tried again.", no_args_is_help=True)

Letter = Annotated[str, typer.Argument(help="The dead letter's id; `aos deadletter list` shows it.")]


@app.command("list")
def list_letters(
    agent: Annotated[str | None, typer.Option(help="Only those of this agent.")] = None,
    status: Annotated[str | None, typer.Option(help="open or resubmitted.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List the dead letters, newest first."""
    page = call(
        url,
        key,
        lambda client: client.get("/deadletters", agent=agent, status=status, limit=limit, cursor=cursor),
        as_json=as_json,
    )
    if as_json:
        print_json(page)
        return
    rows = [
        {**letter, "type": (letter["message"] or {}).get("type"), "code": letter["error"]["code"]}
        for letter in page["dead_letters"]
    ]
    print_rows(rows, ("id", "time", "agent", "type", "code", "status"), empty="There are no dead letters.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


@app.command()
def show(letter: Letter, url: Url = None, key: Key = None) -> None:
    """Show one dead letter: the message, and why it was given up."""
    print_json(call(url, key, lambda client: client.get(f"/deadletters/{letter}")))


@app.command()
def resubmit(letter: Letter, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Put the message into its mailbox again."""
    sent = call(url, key, lambda client: client.post(f"/deadletters/{letter}/resubmit"), as_json=as_json)
    if as_json:
        print_json(sent)
    else:
        console.print(f"Message {sent['message_id']} is in the mailbox of {sent['agent']}.")
