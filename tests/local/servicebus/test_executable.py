"""The emulator as a program of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from aos.local.servicebus.__main__ import main, options_from
from aos.local.servicebus.client import ConnectionLost, MultiplexedReceiver, OutgoingMessage

CONFIG = {
    "UserConfig": {
        "Namespaces": [
            {
                "Name": "sbemulatorns",
                "Queues": [
                    {"Name": "plain", "Properties": {"LockDuration": "PT1M"}},
                    {"Name": "inbox", "Properties": {"RequiresSession": True}},
                ],
                "Topics": [{"Name": "events", "Subscriptions": [{"Name": "all"}]}],
            }
        ],
        "Logging": {"Type": "File"},
    }
}


@dataclass
class Program:
    process: asyncio.subprocess.Process
    lines: list[str]

    @property
    def connection_string(self) -> str:
        return next(line.partition(": ")[2] for line in self.lines if line.startswith("Connection string"))

    async def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aos.local.servicebus",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(20):
            while not lines or lines[-1] != "Ready":
                line = (await process.stdout.readline()).decode()
                if not line:
                    assert process.stderr is not None
                    raise AssertionError((await process.stderr.read()).decode())
                lines.append(line.rstrip("\n"))
        yield Program(process, lines)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "Config.json"
    path.write_text("// entities of the test\n" + json.dumps(CONFIG))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_tells_where_it_is_serves_and_stops_cleanly(config: Path, number: signal.Signals) -> None:
    async with program("--config", str(config), "--port", "0", "--admin-port", "0") as running:
        assert "2 queues and 1 topics, in memory" in running.lines[0]
        async with MultiplexedReceiver.connect(running.connection_string) as client:
            await client.send("events", [OutgoingMessage(b"x")])
            receiver = await client.receiver("events/Subscriptions/all")
            (message,) = await receiver.receive(1, 5)
            assert message.body == b"x"
            health = next(line for line in running.lines if line.startswith("Health")).split()[-1]
            async with aiohttp.ClientSession() as session, session.get(health) as answer:
                assert answer.status == 200
            assert await running.end(number) == 0
            await client.wait_closed()
            with pytest.raises(ConnectionLost):
                await receiver.receive(1, 1)


async def test_a_killed_broker_keeps_every_accepted_message(config: Path, tmp_path: Path) -> None:
    arguments = ("--config", str(config), "--port", "0", "--data", str(tmp_path / "data"))
    accepted: list[int] = []
    enough = asyncio.Event()
    asyncio.Event()
    async with program(*arguments) as running, MultiplexedReceiver.connect(running.connection_string) as client:

        async def send() -> None:
            number = 0
            while True:
                await client.send("plain", [OutgoingMessage(b"%d" % number, message_id=str(number))])
                accepted.append(number)
                number += 1
                if number == 50:
                    enough.set()

        sending = asyncio.create_task(send())
        await client.send("inbox", [OutgoingMessage(b"a", session_id="s"), OutgoingMessage(b"b", session_id="s")])
        session = await client.accept_session("inbox", "s")
        (first,) = await session.receive(1, 5)
        await session.complete([first])
        await session.set_state(b"half way")
        await enough.wait()
        assert await running.end(signal.SIGKILL) == -signal.SIGKILL
        with pytest.raises(ConnectionLost):
            await sending
    async with program(*arguments) as running:
        assert "kept in" in running.lines[0]
        async with MultiplexedReceiver.connect(running.connection_string) as client:
            receiver = await client.receiver("plain")
            found: list[int] = []
            while messages := await receiver.receive(200, 0.2):
                found += [int(message.body) for message in messages]
                await receiver.complete(messages)
            assert found[: len(accepted)] == accepted
            # The one under way when the broker died may have been kept without having been acknowledged.
            assert len(found) - len(accepted) in (0, 1)
            session = await client.accept_session("inbox", "s")
            assert await session.get_state() == b"half way"
            assert [message.body for message in await session.receive(5, 1)] == [b"b"]


def test_a_taken_port_is_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error
    assert "--port" in error


def test_a_configuration_that_cannot_be_used_is_said_plainly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0", "--config", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert main(["--port", "0", "--config", str(bad)]) == 1
    assert "bad.json" in capsys.readouterr().err


def test_the_command_line_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    options = options_from(["--port", "0", "--admin-port", "5300", "--key", "k"])
    assert (options.port, options.admin_port, options.key) == (0, 5300, "k")
    assert "key=" not in repr(options).replace("key_name=", "")
    with pytest.raises(SystemExit):
        options_from(["--admin-tls-port", "1"])
    assert "--admin-port" in capsys.readouterr().err
