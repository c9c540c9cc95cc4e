from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from aos.local.child import Child
from aos.local.programs import module_environment

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


async def test_output_goes_to_the_log_and_stopping_ends_the_process(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    child = await Child.spawn("child", [sys.executable, "-c", "print('hello'); raise SystemExit(3)"], log=log)
    assert await child.wait() == 3
    assert child.last_output() == "hello"
    child = await Child.spawn("child", SLEEP)
    assert await child.stop() == -signal.SIGTERM


@pytest.mark.skipif(sys.platform == "win32", reason="signals cannot be ignored there")
async def test_a_process_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    child = await Child.spawn("child", [sys.executable, "-c", code], log=log)
    while "up" not in child.last_output():  # noqa: ASYNC110  # another process says it
        await asyncio.sleep(0.01)
    assert await child.stop(grace=0.05) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="asked of the kernel")
async def test_children_go_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom aos.local.child import Child\n"
        "async def main():\n"
        f"    child = await Child.spawn('child', {SLEEP!r})\n"
        "    print(child.pid, flush=True)\n    await child.wait()\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=os.environ | module_environment()
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.communicate()
    while _runs(pid):  # noqa: ASYNC110  # the kernel tells only the parent
        await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether the process is alive: one that ended may be kept as a zombie until somebody collects it."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
