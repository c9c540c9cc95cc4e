"""How measurements are printed: where they were taken, on what, and against which target."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("azure-functions", "azure-data-tables", "azure-servicebus", "azure-storage-blob", "pydantic", "fastapi")


def heading(title: str, *, durable: str) -> None:
    """What is measured, on which machine, with what, and what survives the loss of which process."""
    print(f"{title}")
    print(f"  machine   {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}; {platform.platform()}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    print(f"  versions  Python {platform.python_version()}, {versions}")
    print(f"  durable   {durable}")
    print()


def line(name: str, value: str, target: str = "") -> None:
    """One result."""
    print(f"  {name:<44}{value:>24}" + (f"   target {target}" if target else ""))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], unit: str = "ms") -> str:
    """Median and 99th percentile of seconds, in milliseconds."""
    return f"p50 {statistics.median(values) * 1000:.1f} {unit}, p99 {percentile(values, 0.99) * 1000:.1f} {unit}"


def _processor() -> str:
    try:
        for text in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if text.startswith("model name"):
                return text.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
