"""`aos agent register`, `deregister` and `import`: declared agents from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aos.cli import lifecycle
from aos.cli.client import Client, CommandFailed
from aos.cli.output import console, errors, print_json
from aos.cli.running import Json, Key, Url, call, fail
from aos.kernel.address import is_address
from aos.kernel.errors import AosError

if TYPE_CHECKING:
    from aos.agents.declaration import Declaration

FileOrAddress = Annotated[
    Path, typer.Argument(help="An `.agent.md` file, or JSON; or the address of an agent.", metavar="FILE|ADDRESS")
]
Check = Annotated[bool, typer.Option("--check", help="Only look whether it is right.")]


def register(
    file: FileOrAddress, check: Check = False, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """Declare an agent, or replace its declaration. It is in force within seconds, without a deployment.

    With an address in place of a file, register that agent: one that was terminated works again.
    """
    if not file.is_file():
        if not is_address(str(file)):
            raise typer.BadParameter(f"There is no file {str(file)!r}, and it is not the address of an agent.")
        lifecycle.give("register", str(file), url=url, key=key, as_json=as_json)
        return
    try:
        declaration, warnings = _read(file)
    except AosError as error:
        fail(error, as_json=as_json)
        raise typer.Exit(1) from error
    for warning in warnings:
        errors.print(f"[yellow]warning[/yellow]: {warning}", soft_wrap=True)
    if check:
        console.print(f"{file} declares agent {declaration.id}, and is right.")
        return
    declared = call(url, key, lambda client: _put(client, declaration), as_json=as_json)
    if as_json:
        print_json(declared)
    else:
        console.print(f"Agent {declared['id']} is declared, version {declared['version']}.")


def deregister(
    agent_id: Annotated[str, typer.Argument(help="The agent's id.")],
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Take a declared agent out of force. Its state and journal stay."""
    call(url, key, lambda client: client.delete(f"/agents/{agent_id}"), as_json=as_json)
    if as_json:
        print_json({"id": agent_id, "deleted": True})
    else:
        console.print(f"Agent {agent_id} is out of force. Its state and journal stay.")


def import_registry(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An agent_registry.json.")],
    servers: Annotated[
        Path | None, typer.Option("--servers", help="A registry of MCP servers; each tool's server must be in it.")
    ] = None,
    check: Check = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Declare all agents of an agent registry. Nothing is declared where something is wrong with it."""
    from aos.agents.agent_registry_file import read_registry_file, read_server_names

    try:
        found = read_registry_file(file, servers=read_server_names(servers) if servers else None)
        if found.problems:
            raise CommandFailed("\n".join(["The registry is not right:", *found.problems]), code="validation_error")
    except AosError as error:
        fail(error, as_json=as_json)
        raise typer.Exit(1) from error
    if check:
        console.print(f"{file} declares {len(found.declarations)} agents, and is right.")
        return

    async def work(client: Client) -> list[dict[str, Any]]:
        there = {row["name"] for row in (await client.get("/mcp/servers"))["servers"]}
        missing = [f"{each.id}: {said}" for each in found.declarations for said in each.missing_servers(there)]
        if missing:
            raise CommandFailed("\n".join(["The registry is not right:", *missing]), code="validation_error")
        return [await _put(client, declaration) for declaration in found.declarations]

    declared = call(url, key, work, as_json=as_json)
    if as_json:
        print_json({"agents": declared})
        return
    for item in declared:
        console.print(f"Agent {item['id']} is declared, version {item['version']}.")


async def _put(client: Client, declaration: Declaration) -> dict[str, Any]:
    declared: dict[str, Any] = await client.put(f"/agents/{declaration.id}", declaration.to_json())
    return declared


def _read(file: Path) -> tuple[Declaration, tuple[str, ...]]:
    from aos.agents.agent_file import SUFFIX, read_agent_file
    from aos.agents.agent_registry_file import read_json
    from aos.agents.declarations import read_declaration

    if file.suffix == ".json":
        return read_declaration(read_json(file)), ()
    if not file.name.endswith(SUFFIX):
        raise CommandFailed(f"{file} is neither an `{SUFFIX}` file nor JSON. Name it accordingly.")
    found = read_agent_file(file, environ=os.environ)
    return found.declaration, found.warnings
