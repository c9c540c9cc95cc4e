"""Files beside the agents that declare something: where they are, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.yaml_text import read_json, read_yaml


def files_named(folders: Iterable[str | Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The files of folders, and of what is in them, whose names end so; in the order of their paths."""
    return sorted({path for folder in folders for path in Path(folder).rglob("*") if path.name.endswith(suffixes)})


def read_mapping(path: Path, wanted: str) -> dict[str, Any]:
    """The mapping that a YAML or JSON file holds.

    Args:
        path: The file.
        wanted: What should be in it, for the error.

    Raises:
        InvalidInput: it cannot be read, or holds none; the message names the file, and the line where it can.
    """
    read = read_json if path.suffix == ".json" else read_yaml
    content, _ = read(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} declares nothing: it should be {wanted}.")
    return content
