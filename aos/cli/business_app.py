"""`aos app`: the business apps that have agents work for them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aos.cli.client import Client, CommandFailed
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="See, register and delete business apps.", no_args_is_help=True)

AppId = Annotated[str, typer.Argument(help="The app's id, as `aos app list` shows it.")]


@app.command("list")
def list_apps(
    type_: Annotated[str | None, typer.Option("--type", help="Only apps of this type.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only apps that have this agent work for them.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List the apps: those of the registry file, and those that registered."""
    found = call(url, key, lambda client: client.get("/apps", type=type_, agent=agent), as_json=as_json)
    if as_json:
        print_json(found)
        return
    rows = [{**row, "agents": _agents(row)} for row in found["apps"]]
    print_rows(rows, ("app_id", "app_name", "app_type", "agents", "enabled"), empty="There are no apps.")


@app.command()
def show(app_id: AppId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show one app."""
    found = call(url, key, lambda client: client.get(f"/apps/{app_id}"), as_json=as_json)
    if as_json:
        print_json(found)
    else:
        print_fields({**found, "agents_to_orchestrate": _agents(found)})


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="What people call the app.")],
    app_id: Annotated[str | None, typer.Option("--id", help="Its name on the bus; made of its name otherwise.")] = None,
    app_type: Annotated[
        str, typer.Option("--type", help="agent_orchestration, mcp_server, business_application or custom.")
    ] = "business_application",
    purpose: Annotated[str, typer.Option(help="What it is there for.")] = "",
    workflows: Annotated[
        list[str] | None, typer.Option("--workflow", help="A workflow it asks for. May be given several times.")
    ] = None,
    agents: Annotated[
        list[str] | None, typer.Option("--agent", help="`id=role` of an agent it uses. May be given several times.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Register an app, and show the queues it talks through."""

    async def work(client: Client) -> dict[str, Any]:
        uses = [_use(text) for text in agents or []]
        body: dict[str, Any] = {"app_name": name, "app_id": app_id, "app_type": app_type, "purpose": purpose}
        body |= {"workflows": workflows or [], "agents_to_orchestrate": uses}
        registered: dict[str, Any] = await client.post("/apps/register", body)
        return registered

    found = call(url, key, work, as_json=as_json)
    if as_json:
        print_json(found)
        return
    queues = found["service_bus"]
    console.print(f"App {found['app_id']} is registered. It asks on {queues['queue']}, and is answered on", end=" ")
    console.print(f"{queues['responses']}.", soft_wrap=True)


@app.command()
def delete(app_id: AppId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Forget an app that registered. One of the registry file stays."""
    call(url, key, lambda client: client.delete(f"/apps/{app_id}"), as_json=as_json)
    if as_json:
        print_json({"app_id": app_id, "deleted": True})
    else:
        console.print(f"App {app_id} is forgotten.")


def _agents(row: dict[str, Any]) -> str | None:
    return ", ".join(use["agent_id"] for use in row["agents_to_orchestrate"]) or None


def _use(text: str) -> dict[str, str]:
    agent, _, role = text.partition("=")
    if not (agent and role):
        raise CommandFailed(f"{text!r} does not say which agent has which role. Write `--agent cfo=finance`.")
    return {"agent_id": agent, "role": role}
