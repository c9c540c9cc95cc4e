"""A code base on disk, as the analysers see it: its files with language, lines and bytes, and how to read them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from aos.tools.review.archive import pack, unpack
from aos.tools.review.errors import TreeTooLarge
from aos.tools.review.languages import Kind, generated_by_name, is_test, language_of
from aos.tools.review.limits import DEFAULT_LIMITS, Limits
from aos.tools.review.listing import list_files
from aos.tools.review.manifest import MANIFEST, LeftOut, Manifest, Reason, unfit_name
from aos.tools.review.reading import decode, is_binary, read_text

__all__ = ["LeftOut", "Limits", "SourceFile", "SourceTree", "pack", "unpack"]

_LONGEST_WRITTEN_LINE = 5_000
"""Characters. Nobody writes longer lines of code: a program did."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A text file.

    Attributes:
        path: POSIX, relative to the tree.
        language: By name; "Other" if unknown.
        kind: code, prose, data or other.
        lines: Number of lines; 0 for an empty file.
        bytes: Size.
        digest: SHA-256 of the content, in hex.
        generated: Whether a program wrote it: lock files, minified code.
        test: Whether it belongs to the tests.
    """

    path: str
    language: str
    kind: Kind
    lines: int
    bytes: int
    digest: str
    generated: bool = False
    test: bool = False


@dataclass(frozen=True)
class SourceTree:
    """Files of a code base. `left_out` lists what is there, but binary, too large or unreadable."""

    root: Path
    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...] = field(default=())

    @classmethod
    async def open(cls, directory: Path, limits: Limits = DEFAULT_LIMITS) -> SourceTree:
        """Look at a code base, packed and unpacked or where it lives.

        Raises:
            NotFound: there is no such directory.
            InvalidInput: it is not a directory.
            TreeTooLarge: it has more files or bytes than the limits allow.
        """
        names = await list_files(directory)
        return await asyncio.to_thread(_opened, directory, names, limits)

    @property
    def lines(self) -> int:
        """Lines of everything people wrote, data aside."""
        return sum(file.lines for file in self.files if file.kind in ("code", "prose") and not file.generated)

    @property
    def code(self) -> list[SourceFile]:
        """Files of code that people wrote."""
        return [file for file in self.files if file.kind == "code" and not file.generated]

    @property
    def python(self) -> list[SourceFile]:
        """Python files that people wrote."""
        return [file for file in self.code if file.language == "Python"]

    @property
    def languages(self) -> dict[str, int]:
        """Lines by language of code, the largest first."""
        lines: Counter[str] = Counter()
        for file in self.code:
            lines[file.language] += file.lines
        return dict(sorted(lines.items(), key=lambda item: (-item[1], item[0])))

    def paths(self) -> set[str]:
        """Every path, left out or not."""
        return {file.path for file in self.files} | {item.path for item in self.left_out}

    def absolute(self, files: Iterable[SourceFile]) -> list[str]:
        """Paths for a tool's command line."""
        return [str(self.root / file.path) for file in files]

    def relative(self, path: str) -> str | None:
        """The tree's name for a path a tool printed; None if it is not a file of the tree."""
        try:
            return Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return None

    def read(self, path: str) -> str:
        """The text of a file, in whatever encoding. Blocking.

        Raises:
            OSError: it is gone or cannot be read.
        """
        return read_text(self.root / path)


def _opened(directory: Path, names: list[str], limits: Limits) -> SourceTree:
    if len(names) > limits.files:
        raise TreeTooLarge(
            f"The code base has {len(names)} files; the most is {limits.files}. Review a part of it.",
            details={"files": len(names), "limit": limits.files},
        )
    root = directory.resolve()
    files: list[SourceFile] = []
    left_out = {item.path: item for item in _remembered(root)}
    total = 0
    for name in names:
        looked_at = _look(root, name, limits)
        if isinstance(looked_at, LeftOut):
            left_out[looked_at.path] = looked_at
            continue
        files.append(looked_at)
        total += looked_at.bytes
        if total > limits.total_bytes:
            raise TreeTooLarge(
                f"The code base has more than {limits.total_bytes} bytes of text. Review a part of it.",
                details={"limit": limits.total_bytes},
            )
    return SourceTree(root, tuple(files), tuple(left_out[path] for path in sorted(left_out)))


def _look(root: Path, name: str, limits: Limits) -> SourceFile | LeftOut:
    shown = name.encode("utf-8", "backslashreplace").decode()
    if unfit_name(name):
        return LeftOut(path=shown.encode("unicode_escape").decode(), bytes=0, why="name")
    path = root / name
    try:
        size = path.lstat().st_size
        data = path.read_bytes() if size <= limits.file_bytes else b""
    except OSError:
        return LeftOut(path=shown, bytes=0, why="unreadable")
    why: Reason | None = "large" if size > limits.file_bytes else "binary" if is_binary(data) else None
    return LeftOut(path=shown, bytes=size, why=why) if why else _described(name, data)


def _described(name: str, data: bytes) -> SourceFile:
    lines = decode(data).split("\n")
    language, kind = language_of(name)
    return SourceFile(
        path=name,
        language=language,
        kind=kind,
        lines=len(lines) - (lines[-1] == ""),
        bytes=len(data),
        digest=hashlib.sha256(data).hexdigest(),
        generated=generated_by_name(name)
        or (kind == "code" and any(len(line) > _LONGEST_WRITTEN_LINE for line in lines)),
        test=is_test(name),
    )


def _remembered(root: Path) -> list[LeftOut]:
    """What `pack` saw and did not pack."""
    try:
        return Manifest.model_validate_json((root / MANIFEST).read_bytes()).left_out
    except (OSError, ValidationError):
        return []  # an archive that somebody else made
