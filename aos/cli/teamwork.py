"""`aos team run`, `runs`, `show`, `transcript`, `cancel`: teams at work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from aos.cli.client import Client
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

RunId = Annotated[str, typer.Argument(help="Id of the team at work; `aos team run` prints it.")]


def run(
    team: Annotated[str, typer.Argument(help="Name of a declared team, or a file that declares one.")],
    task: Annotated[str, typer.Argument(help="What it is to do, in words.")],
    inputs: Annotated[str, typer.Option(help="What it needs, as a JSON object.")] = "{}",
    limits: Annotated[str, typer.Option(help='In place of its own, as JSON: {"turns": 6}.')] = "{}",
    watch: Annotated[bool, typer.Option(help="Show what is said, to the end.")] = True,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Set a team to work. Exit code 1 where it comes to nothing."""
    order = {"task": task, "inputs": _object(inputs, "--inputs"), "limits": _object(limits, "--limits")}
    path, order = _place(team, order)

    async def work(client: Client) -> dict[str, Any]:
        started: dict[str, Any] = await client.post(path, order)
        if not watch:
            return started
        if not as_json:
            console.print(f"Team {started['id']} is at work.")
        return await _follow(client, started["id"], quiet=as_json)

    shown = call(url, key, work, as_json=as_json)
    _show(shown, as_json=as_json)


def show(run_id: RunId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show a team at work, or what came of it."""
    _show(call(url, key, lambda client: client.get(f"/team-runs/{run_id}"), as_json=as_json), as_json=as_json)


def transcript(
    run_id: RunId,
    after: Annotated[int, typer.Option(min=0, help="Lines above this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 200,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show what was said."""
    path = f"/team-runs/{run_id}/transcript"
    page = call(url, key, lambda client: client.get(path, after=after, limit=limit), as_json=as_json)
    if as_json:
        print_json(page)
        return
    for line in page["lines"]:
        _say(line["who"], line["content"], line["vote"])
    if not page["lines"]:
        console.print("Nothing more was said yet." if after else "Nothing was said yet.")
    if page["after"]:
        console.print(f"More: --after {page['after']}")


def cancel(run_id: RunId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Ask a team to stop."""
    answer = call(url, key, lambda client: client.post(f"/team-runs/{run_id}/cancel"), as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        console.print(f"Team {run_id} was asked to stop.")


def runs(
    status: Annotated[str | None, typer.Option(help="pending, running, completed, failed or cancelled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List teams at work and those that were, newest first."""
    page = call(url, key, lambda client: client.get("/team-runs", status=status, limit=limit, cursor=cursor))
    if as_json:
        print_json(page)
        return
    columns = ("id", "name", "kind", "status", "reason", "task")
    print_rows(page["runs"], columns, empty="No team was set to work. Do so with `aos team run`.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


def add_to(app: typer.Typer) -> None:
    """Make these commands of `aos team`."""
    for command in (run, runs, show, transcript, cancel):
        app.command()(command)


async def _follow(client: Client, run_id: str, *, quiet: bool) -> dict[str, Any]:
    after: str | None = None
    while True:
        page = await client.get(f"/team-runs/{run_id}/events", after=after, wait=20)
        after = page["after"] or None
        for event in page["events"]:
            if event["event"] == "team.said" and not quiet:
                _say(event["data"]["member"], event["data"]["content"], event["data"]["vote"])
            elif event["event"] == "team.missed" and not quiet:
                member, error = event["data"]["member"], event["data"]["error"]
                console.print(f"[yellow]{member} did not contribute:[/yellow] {escape(str(error.get('message')))}")
        if page["ended"]:
            shown: dict[str, Any] = await client.get(f"/team-runs/{run_id}")
            return shown


def _place(team: str, order: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where the order goes: to a declared team, or with the definition of a file."""
    file = Path(team)
    if not file.is_file():
        return f"/teams/{team}/runs", order
    from aos.kernel.errors import InvalidInput
    from aos.workflows.teams.declared_teams import read_team

    try:
        definition = read_team(file).model_dump(mode="json")
    except InvalidInput as error:
        raise typer.BadParameter(error.message) from error
    return "/team-runs", {**order, "definition": definition}


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint=option) from error
    if not isinstance(value, dict):
        raise typer.BadParameter("is no JSON object", param_hint=option)
    return value


def _say(who: str, content: str, vote: Any) -> None:
    voted = f" [dim](votes {escape(str(vote))})[/dim]" if vote is not None else ""
    console.print(f"[bold]{escape(who)}[/bold]{voted}: {escape(content)}")


def _show(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        names = ("id", "kind", "status", "reason", "turns", "transcript_length", "cost_usd", "open")
        print_fields({name: shown[name] for name in names if name in shown})
        if shown.get("result"):
            print_fields({name: shown["result"][name] for name in ("output", "approved", "scores")})
    if shown["status"] in ("failed", "cancelled"):
        raise typer.Exit(1)
