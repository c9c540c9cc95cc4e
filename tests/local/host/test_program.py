"""The host as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from aos.local.programs import module_command, module_environment
from tests.local.host.conftest import APP, NOWHERE


@asynccontextmanager
async def _host(app: Path, *arguments: str, **settings: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *module_command("aos.local.host", "--app", str(app), "--port", "0", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env=module_environment() | {"PATH": ""} | settings,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process at once there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_is_ready_and_ends_well_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps({"masterKey": "m", "functionKeys": {"default": "f"}, "functions": {"guarded": {"a": "g"}}})
    )
    settings = {"ServiceBus": NOWHERE, "QUEUE": "incoming", "TICK": "0 0 0 1 1 *"}
    async with _host(APP, "--keys", str(keys), "--state", str(tmp_path / "t.json"), **settings) as process:
        assert process.stdout is not None
        ready = (await process.stdout.readline()).decode().split()
        assert ready[0] == "ready"
        assert "mailbox," in ready
        async with httpx.AsyncClient(base_url=ready[1], trust_env=False) as http:
            answers = [await http.get("/guarded", headers={"x-functions-key": key}) for key in "fgmx"]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 401]
        process.send_signal(number)
        assert await process.wait() == 0
    assert "tick" in json.loads((tmp_path / "t.json").read_text())


async def test_an_app_that_cannot_run_ends_it_with_a_sentence(tmp_path: Path) -> None:
    async with _host(APP) as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode().startswith("error: Function 'tick' needs the setting 'TICK'")
