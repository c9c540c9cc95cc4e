"""`aos request`: see what waits for people, and answer it."""

from __future__ import annotations

import getpass
import json
from typing import Annotated, Any

import typer

from aos.cli.client import Client, CommandFailed
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="See what waits for people, and answer it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Id of the request, as `aos request list` shows it.")]
By = Annotated[str | None, typer.Option("--by", help="Who answers. Default: the name you are logged in under.")]
Comment = Annotated[str, typer.Option("--comment", help="Why; it is kept with the answer.")]
Wait = Annotated[float, typer.Option("--wait", min=0, max=200, help="Seconds to wait until the answer counts.")]


@app.command("list")
def list_requests(
    audience: Annotated[str | None, typer.Option("--for", help="Only what this person may answer.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only requests of this kind.")] = None,
    status: Annotated[str, typer.Option(help="open, answered, expired or withdrawn.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List what waits for people: requests, and questions about tools."""
    query = {"audience": audience, "kind": kind, "status": status, "limit": limit, "cursor": cursor}
    page = call(url, key, lambda client: client.get("/requests", **query), as_json=as_json)
    if as_json:
        print_json(page)
        return
    rows = [{**row, "for": ", ".join(row["audience"]) or "anybody"} for row in page["requests"]]
    columns = ("id", "kind", "prompt", "for", "requester", "opened_at", "expires_at", "status")
    print_rows(rows, columns, empty="Nothing waits for an answer." if status == "open" else "There are none.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


@app.command()
def show(request_id: Id, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show one request with its action and its answer."""
    found = call(url, key, lambda client: client.get(f"/requests/{request_id}"), as_json=as_json)
    if as_json:
        print_json(found)
        return
    apart = {name: found.pop(name) for name in ("action", "details", "schema", "answer") if found.get(name)}
    print_fields({name: value for name, value in found.items() if value not in (None, "", [])})
    for name, value in apart.items():
        console.print(f"[bold]{name}[/bold]")
        print_json(value)


@app.command()
def answer(
    request_id: Id,
    value: Annotated[str, typer.Argument(help="The answer: words, a choice, JSON, or the id of an artifact.")],
    by: By = None,
    comment: Comment = "",
    wait: Wait = 10,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Answer a request with a value."""

    async def send(client: Client) -> Any:
        asked = await client.get(f"/requests/{request_id}")
        return await _send(client, asked, {"value": _value(asked, value)}, by, comment, wait)

    _print(call(url, key, send, as_json=as_json), as_json=as_json)


@app.command()
def approve(
    request_id: Id,
    by: By = None,
    comment: Comment = "",
    wait: Wait = 10,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Approve what a request asks for."""
    _print(call(url, key, _verdict(request_id, by, comment, wait, approved=True), as_json=as_json), as_json=as_json)


@app.command()
def reject(
    request_id: Id,
    by: By = None,
    comment: Comment = "",
    wait: Wait = 10,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Reject what a request asks for."""
    _print(call(url, key, _verdict(request_id, by, comment, wait, approved=False), as_json=as_json), as_json=as_json)


@app.command()
def link(
    request_id: Id,
    who: Annotated[str, typer.Option("--for", help="Who is to answer by the link.")],
    good_for: Annotated[str, typer.Option(help="How long: `2h`, `7d`.")] = "7d",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Make links by which one person can answer one request."""
    body = {"who": who, "good_for": good_for}

    async def made(client: Client) -> dict[str, Any]:
        found: dict[str, Any] = await client.post(f"/requests/{request_id}/links", body)
        whole = {
            purpose: place if "://" in place else client.endpoint.url + place
            for purpose, place in found["links"].items()
        }
        return {**found, "links": whole}

    found = call(url, key, made, as_json=as_json)
    if as_json:
        print_json(found)
        return
    for purpose, place in found["links"].items():
        console.print(f"{purpose}: {place}", soft_wrap=True, markup=False)
    console.print(f"Good until {found['expires_at']}. Whoever has a link can use it.")


def _verdict(request_id: str, by: str | None, comment: str, wait: float, *, approved: bool) -> Any:
    async def send(client: Client) -> Any:
        asked = await client.get(f"/requests/{request_id}")
        return await _send(client, asked, {"approved": approved}, by, comment, wait)

    return send


async def _send(
    client: Client, asked: dict[str, Any], said: dict[str, Any], by: str | None, comment: str, wait: float
) -> Any:
    body = {**said, "by": by or getpass.getuser(), "comment": comment, "via": "cli", "digest": asked["digest"]}
    return await client.post(f"/requests/{asked['id']}/answer", body, params={"wait": wait})


def _value(asked: dict[str, Any], text: str) -> Any:
    is_finding = asked.get("asks") == "executed" and text.lstrip().startswith("{")
    if asked["kind"] != "correction" and not is_finding:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandFailed(f"The answer is not JSON: {error}.") from error


def _print(answered: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answered)
    elif answered["accepted"]:
        console.print(f"The answer to {answered['id']} counts.", markup=False)
    else:
        console.print(f"The answer to {answered['id']} was sent. See: aos request show {answered['id']}", markup=False)
