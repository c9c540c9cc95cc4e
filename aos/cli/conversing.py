"""`aos agent conversations` and `aos agent conversation`: what was said to an agent and by it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from aos.cli.output import console, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

Address = Annotated[str, typer.Argument(help="The agent's address: `cto`, or `task:<id>`.")]
Count = Annotated[int, typer.Option(min=1, max=1000)]


def list_conversations(
    address: Address,
    limit: Count = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List an agent's conversations, those begun last first."""
    path = f"/agents/{address}/conversations"
    page = call(url, key, lambda client: client.get(path, limit=limit, cursor=cursor), as_json=as_json)
    if as_json:
        print_json(page)
        return
    columns = ("conversation", "title", "entries", "last_at")
    print_rows(page["conversations"], columns, empty="Nothing was said to this agent in a conversation yet.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


def show_conversation(
    address: Address,
    conversation: Annotated[str, typer.Argument(help="Its id; `aos agent conversations` lists them.")],
    limit: Count = 20,
    cursor: Annotated[int | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show what was said last in a conversation; earlier pages with --cursor."""
    path = f"/agents/{address}/conversations/{quote(conversation, safe='/')}"
    page = call(url, key, lambda client: client.get(path, limit=limit, cursor=cursor), as_json=as_json)
    if as_json:
        print_json(page)
        return
    if page["summary"]:
        console.print(f"Summary up to entry {page['summary']['until']}:\n{page['summary']['text']}\n", markup=False)
    for entry in page["entries"][::-1]:
        said = "(redacted)" if "redacted_by" in entry else entry["content"]
        console.print(f"{entry['number']}  {entry['time']}  {entry['who']}: {said}", markup=False)
    if page["cursor"] is not None:
        console.print(f"Earlier: --cursor {page['cursor']}")
