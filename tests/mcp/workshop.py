"""A server made with the SDK, with a tool for each thing that can go well or wrong. Run it for stdio, or on a port."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

READS = ToolAnnotations(read_only_hint=True)
AGAIN = ToolAnnotations(idempotent_hint=True, destructive_hint=False)

server = MCPServer("workshop", instructions="A workshop.")


@server.tool(annotations=READS)
async def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool(annotations=READS)
async def environment() -> dict[str, str]:
    """What the process sees."""
    return dict(os.environ)


@server.tool(annotations=READS)
async def pid() -> int:
    """Of the process."""
    return os.getpid()


@server.tool(annotations=AGAIN)
async def put(file: str, text: str) -> str:
    """Write a file."""
    Path(file).write_text(text, encoding="utf-8")  # noqa: ASYNC240
    return "written"


@server.tool()
async def append(file: str, text: str) -> int:
    """Add a line to a file."""
    with Path(file).open("a", encoding="utf-8") as out:  # noqa: ASYNC230
        out.write(text + "\n")
    return len(text)


@server.tool(annotations=READS)
async def large(size: int) -> str:
    """A text of this size."""
    return "x" * size


@server.tool()
async def die(file: str) -> str:
    """Note it in a file, and end the process."""
    await append(file, "died")
    os._exit(3)


@server.tool(annotations=READS)
async def hang() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return ""


@server.tool(annotations=READS)
async def fail(secret: str) -> str:
    """Fail, and tell too much."""
    raise ValueError(f"it failed with {secret}")


@server.tool()
async def change(context: Context) -> str:
    """Take `echo` away and offer `shout`."""

    async def shout(text: str, times: int) -> str:
        """Say it louder."""
        return text.upper() * times

    server.remove_tool("echo")
    server.add_tool(shout, annotations=READS)
    await context.session.send_tool_list_changed()
    return "changed"


@server.resource("workshop://bench")
def bench() -> str:
    """The bench."""
    return "a hammer"


@server.prompt()
def build(what: str) -> str:
    """How to build it."""
    return f"Build {what}."


def main(*arguments: Any) -> None:
    if arguments:
        server.run("streamable-http", port=int(arguments[0]), json_response="json" in arguments)
    else:
        server.run("stdio")


if __name__ == "__main__":
    if os.environ.get("WORKSHOP_BROKEN"):
        sys.exit(f"the workshop is closed: {os.environ['WORKSHOP_BROKEN']}")
    main(*sys.argv[1:])
