"""How much of a code base is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a source tree.

    Attributes:
        files: Most files.
        file_bytes: Larger files are listed, but neither packed nor examined.
        total_bytes: Most bytes of all packed files together.
        path_length: Longest path, in characters.
    """

    files: int = 20_000
    file_bytes: int = 1_048_576
    total_bytes: int = 64 * 1_048_576
    path_length: int = 400


DEFAULT_LIMITS = Limits()
