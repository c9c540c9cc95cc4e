"""`aos mcp`: see the MCP servers agents may use, their tools, and call one."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from aos.cli.output import console, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

app = typer.Typer(help="See the MCP servers agents may use, and try their tools.", no_args_is_help=True)

Server = Annotated[str, typer.Argument(help="Name of the server.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ask the server anew, whatever is known of it.")]


@app.command()
def servers(url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """List the configured servers and how they are."""
    found = call(url, key, lambda client: client.get("/mcp/servers"), as_json=as_json)
    if as_json:
        print_json(found)
        return
    print_rows(
        found["servers"],
        ("name", "type", "where", "enabled", "status", "breaker", "problem"),
        empty="There are no MCP servers. Name some in mcp.json, or in the file of the setting AOS_MCP_FILE.",
    )


@app.command()
def tools(server: Server, fresh: Fresh = False, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """List a server's tools, and what is held of a call of each."""
    path = f"/mcp/servers/{server}/tools"
    found = call(url, key, lambda client: client.get(path, fresh="true" if fresh else None), as_json=as_json)
    if as_json:
        print_json(found)
        return
    rows = [{**row, "takes": ", ".join(row["parameters"].get("properties", {})) or None} for row in found["tools"]]
    print_rows(rows, ("name", "effect", "risk", "takes", "description"), empty=f"Server {server} has no tools.")


@app.command("call")
def call_tool(
    tool: Annotated[str, typer.Argument(help="Server and tool: search.find.")],
    arguments: Annotated[str, typer.Argument(help="What it takes, as a JSON object.")] = "{}",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Call a tool, outside of any agent's turn."""
    server, _, name = tool.partition(".")
    if not name:
        raise typer.BadParameter("must be a server and a tool, such as search.find", param_hint="TOOL")
    body = {"arguments": _object(arguments)}
    path = f"/mcp/servers/{server}/tools/{name}"
    found = call(url, key, lambda client: client.post(path, body), as_json=as_json)
    if as_json:
        print_json(found)
        return
    result = found["result"]
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, indent=2)
    console.print(text, markup=False, soft_wrap=True)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint="ARGUMENTS") from error
    if not isinstance(value, dict):
        raise typer.BadParameter('must be an object, such as {"query": "rain"}', param_hint="ARGUMENTS")
    return value
