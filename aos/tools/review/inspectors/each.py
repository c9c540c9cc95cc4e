"""Applies an inspection to one file after the other. A file it cannot cope with is named, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aos.tools.review.reading import read_text


def each_file(
    root: str, files: Iterable[str], inspection: Callable[[str, str], list[dict[str, Any]]]
) -> dict[str, Any]:
    """Run `inspection(path, text)` for every file.

    Returns:
        `found`: what the inspections returned, each with its `file`; `failed`: reason by path.
    """
    found: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for path in files:
        try:
            text = read_text(Path(root, path))
            found.extend({"file": path, **item} for item in inspection(path, text))
        except Exception as error:  # noqa: BLE001  # a parser fed with anything raises anything; the reason is reported
            failed[path] = f"{type(error).__name__}: {error}"[:300]
    return {"found": found, "failed": failed}
