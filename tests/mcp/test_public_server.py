"""A public server, as it is installed from the package index, over stdio."""

from __future__ import annotations

import sys

import pytest

from aos.mcp.errors import ToolReportedError
from tests.mcp.conftest import Make

pytest.importorskip("mcp_server_time")


async def test_the_time_server_tells_and_converts_the_time(make: Make) -> None:
    servers = make(
        {
            "time": {
                "command": sys.executable,
                "args": ["-m", "mcp_server_time", "--local-timezone", "${ZONE}"],
                "tools": {"*": {"effect": "read"}},
            }
        },
        ZONE="Europe/Zurich",
    )
    tools = (await servers.get("time").catalogue()).tools
    assert set(tools) == {"get_current_time", "convert_time"}
    assert set(tools["convert_time"].parameters["required"]) == {"source_timezone", "time", "target_timezone"}
    given = {"source_timezone": "Asia/Kolkata", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    converted = await servers.call("time", "convert_time", given)
    assert "15:30" in str(converted)
    with pytest.raises(ToolReportedError, match="Nowhere"):
        await servers.call("time", "get_current_time", {"timezone": "Nowhere/Land"})
    await servers.close()
