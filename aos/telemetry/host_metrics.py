"""How busy this host is."""

from __future__ import annotations

from typing import Any


def host_metrics() -> dict[str, Any]:
    """Processor and memory of the machine (percent since the last call), memory of this process, disk in use."""
    import psutil

    memory = psutil.virtual_memory()
    return {
        "cpu_usage_percent": psutil.cpu_percent(interval=None),
        "memory_usage_percent": memory.percent,
        "memory_usage_bytes": psutil.Process().memory_info().rss,
        "disk_usage_bytes": psutil.disk_usage("/").used,
    }
