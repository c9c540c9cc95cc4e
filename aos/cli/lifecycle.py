"""`aos agent pause`, `quarantine`, `drain`, `resume`, `terminate` and `health`; `aos team`."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

team_app = typer.Typer(help="Name lists of agents that take orders together.", no_args_is_help=True)

Address = Annotated[str | None, typer.Argument(help="The agent's address: `cto`, or `task:<id>`.")]
Type = Annotated[str | None, typer.Option("--type", help="All agents of this type, those yet to be born included.")]
Team = Annotated[str | None, typer.Option("--team", help="All members of this team.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; shown wherever the agent is.")]


def pause(
    address: Address = None,
    type_: Type = None,
    team: Team = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Have agents handle nothing; their mail is put aside and taken up in order when they are resumed."""
    give("pause", address, type_, team, reason, url=url, key=key, as_json=as_json)


def quarantine(
    address: Address = None,
    type_: Type = None,
    team: Team = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """As pause, for agents that something is wrong with. Needs --reason."""
    give("quarantine", address, type_, team, reason, url=url, key=key, as_json=as_json)


def drain(
    address: Address = None,
    type_: Type = None,
    team: Team = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Have agents finish what they began; new mail is put aside."""
    give("drain", address, type_, team, reason, url=url, key=key, as_json=as_json)


def resume(
    address: Address = None,
    type_: Type = None,
    team: Team = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Let agents go on, first with what was put aside."""
    give("resume", address, type_, team, reason, url=url, key=key, as_json=as_json)


def terminate(
    address: Address = None,
    type_: Type = None,
    team: Team = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """End agents: what is there, and what comes, are dead letters. State and journal stay. Needs --reason."""
    give("terminate", address, type_, team, reason, url=url, key=key, as_json=as_json)


def health(
    address: Annotated[str, typer.Argument(help="The agent's address.")],
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show how an agent does: what fails, what waits, and since when. Exit code 1 where it is unhealthy."""
    found = call(url, key, lambda client: client.get(f"/agents/{address}/health"), as_json=as_json)
    if as_json:
        print_json(found)
    else:
        print_fields({**found, "reasons": " ".join(found["reasons"]) or None})
    if found["status"] == "unhealthy":
        raise typer.Exit(1)


def history(
    address: Annotated[str, typer.Argument(help="The agent's address.")],
    after: Annotated[int, typer.Option(min=0, help="Orders of turns above this version.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show the orders an agent was given."""
    path = f"/agents/{address}/lifecycle"
    found = call(url, key, lambda client: client.get(path, after=after, limit=limit), as_json=as_json)
    if as_json:
        print_json(found)
        return
    columns = ("version", "time", "event", "from", "to", "by", "reason", "scope")
    print_rows(found["orders"], columns, empty="This agent was given no orders.")
    if found["after"]:
        console.print(f"More: --after {found['after']}")


@team_app.command("set")
def set_team(
    name: Annotated[str, typer.Argument(help="Name of the team.")],
    members: Annotated[list[str], typer.Argument(help="Addresses, and `<type>:*` for all agents of a type.")],
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Make a team, or replace its members."""
    made = call(url, key, lambda client: client.put(f"/teams/{name}", {"members": members}), as_json=as_json)
    if as_json:
        print_json(made)
    else:
        console.print(f"Team {name}: {', '.join(made['members'])}")


@team_app.command("list")
def list_teams(url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """List the teams."""
    found = call(url, key, lambda client: client.get("/teams"), as_json=as_json)
    if as_json:
        print_json(found)
        return
    rows = [{"team": team["team"], "members": ", ".join(team["members"])} for team in found["teams"]]
    print_rows(rows, ("team", "members"), empty="There are no teams.")


@team_app.command("delete")
def delete_team(
    name: Annotated[str, typer.Argument(help="Name of the team.")],
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Forget a team. Its members stay as they are."""
    call(url, key, lambda client: client.delete(f"/teams/{name}"), as_json=as_json)
    if as_json:
        print_json({"team": name, "deleted": True})
    else:
        console.print(f"Team {name} is forgotten. Its members stay as they are.")


def give(
    event: str,
    address: str | None = None,
    type_: str | None = None,
    team: str | None = None,
    reason: str = "",
    *,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Give an order to whoever is named, and print what came of it."""
    named = [
        f"{place}/{name}" for place, name in (("agents", address), ("agent-types", type_), ("teams", team)) if name
    ]
    if len(named) != 1:
        raise typer.BadParameter("Name one agent, or a type with --type, or a team with --team.")
    body = {"reason": reason, "by": getpass.getuser()}
    answer = call(url, key, lambda client: client.post(f"/{named[0]}/{event}", body), as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        _say(answer)
    if answer.get("failed"):
        raise typer.Exit(1)


def _say(answer: dict[str, Any]) -> None:
    for member, its in answer.get("members", {answer.get("agent") or f"type {answer.get('type')}": answer}).items():
        more = f", {its['waiting']} messages wait" if its.get("waiting") else ""
        if "changed" in its:
            more = f", {its['changed']} living agents with it"
        console.print(f"{member} is {its['status']}{more}.")
    for who, why in answer.get("failed", {}).items():
        console.print(f"[red]{who}[/red]: {why}")
