"""Cold start: importing the function app, building the system, and what of it takes how long."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks._report import heading, line

PROJECT = Path(__file__).resolve().parent.parent
RUNS = 7
SLOWEST = 12
STORAGE = "UseDevelopmentStorage=true"
BUS = "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=k;SharedAccessKey=v;UseDevelopmentEmulator=true;"
IMPORT = """
import time, resource
started = time.perf_counter()
import function_app
app = time.perf_counter() - started
import asyncio
from aos.functions.process import system, close
async def build():
    started = time.perf_counter()
    system()
    built = time.perf_counter() - started
    await close()
    return built
print(app, asyncio.run(build()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|(\s*)(\S+)")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AzureWebJobsStorage": STORAGE, "ServiceBus": BUS}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=PROJECT, env=environment
    )


def measure() -> None:
    heading("Cold start", durable="does not matter: nothing is stored, the network is not touched")
    found = [[float(number) for number in _run("-c", IMPORT).stdout.split()] for _ in range(RUNS)]
    imports, builds, memory = ([run[column] for run in found] for column in range(3))
    line(
        "import function_app",
        f"p50 {statistics.median(imports) * 1000:.0f} ms, min {min(imports) * 1000:.0f} ms",
        "under 350 ms",
    )
    line("then: agents found, system built", f"p50 {statistics.median(builds) * 1000:.0f} ms")
    line("memory after that", f"{statistics.median(memory) / 1024:.0f} MiB")
    print("\n  The slowest imports, with what each brings along:")
    told = [_LINE.match(text) for text in _run("-X", "importtime", "-c", "import function_app").stderr.splitlines()]
    modules = sorted(((int(m[2]), m[4]) for m in told if m), reverse=True)
    for microseconds, name in modules[:SLOWEST]:
        line(f"  {name}", f"{microseconds / 1000:.0f} ms")


if __name__ == "__main__":
    measure()
