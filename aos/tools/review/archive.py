"""Packs a code base into a .tar.gz, and unpacks one that nobody vouches for."""

from __future__ import annotations

import asyncio
import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import ValidationError

from aos.tools.review.errors import ArchiveRefused, TreeTooLarge
from aos.tools.review.limits import DEFAULT_LIMITS, Limits
from aos.tools.review.listing import list_files
from aos.tools.review.manifest import MANIFEST, LeftOut, Manifest, Reason, unfit_name
from aos.tools.review.reading import is_binary

CONTENT_TYPE = "application/gzip"
_BLOCK = 512
_LONGEST_PART = 255
_HEADERS_PER_FILE = 4 * _BLOCK
"""Room for what tar itself needs: a header, a long name, and padding."""


async def pack(directory: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Pack the text files of a code base. The same content gives the same bytes.

    Links are not followed and not packed. Binary and very large files are listed in the manifest, not packed.

    Raises:
        NotFound: there is no such directory.
        InvalidInput: it is not a directory.
        TreeTooLarge: it has more files or bytes than the limits allow.
    """
    names = await list_files(directory)
    if len(names) > limits.files:
        raise TreeTooLarge(
            f"{directory} has {len(names)} files; the most is {limits.files}. Give a folder inside of it, or add what"
            " is not source to .gitignore.",
            details={"files": len(names), "limit": limits.files},
        )
    return await asyncio.to_thread(_packed, directory, names, limits)


async def unpack(data: bytes, directory: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Unpack an archive into an empty directory, which is made if it is not there.

    Only regular files are written, all of them below `directory`. An archive with anything else in it - links,
    devices, paths that lead out, more than the limits allow - is refused as a whole; what was written by then stays
    for the caller to remove.

    Raises:
        ArchiveRefused: see above; or it is broken, or the directory is not empty.
        TreeTooLarge: it has more files or bytes than the limits allow.
    """
    await asyncio.to_thread(_unpacked, data, directory, limits)


def _packed(directory: Path, names: list[str], limits: Limits) -> bytes:
    files: dict[str, bytes] = {}
    left_out: list[LeftOut] = []
    total = 0
    for name in names:
        content = _content(directory, name, limits)
        if isinstance(content, LeftOut):
            left_out.append(content)
            continue
        files[name] = content
        total += len(content)
        if total > limits.total_bytes:
            raise TreeTooLarge(
                f"{directory} has more than {limits.total_bytes // 1_048_576} MiB of text. Give a folder inside of it,"
                " or add what is not source to .gitignore.",
                details={"limit": limits.total_bytes},
            )
    manifest = Manifest(files=len(files), left_out=left_out).model_dump_json().encode()
    buffer = io.BytesIO()
    # No name and no time in the gzip header: the bytes depend on the content alone.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in ((MANIFEST, manifest), *files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _content(directory: Path, name: str, limits: Limits) -> bytes | LeftOut:
    path = directory / name
    why: Reason = "unreadable"
    size = 0
    try:
        size = path.lstat().st_size
        if unfit_name(name) or len(name) > limits.path_length:
            why = "name"
        elif size > limits.file_bytes:
            why = "large"
        else:
            data = path.read_bytes()
            if not is_binary(data):
                return data
            why = "binary"
    except OSError:
        why = "unreadable"
    shown = name.encode("utf-8", "backslashreplace").decode()
    return LeftOut(path=shown if shown.isprintable() else shown.encode("unicode_escape").decode(), bytes=size, why=why)


def _unpacked(data: bytes, directory: Path, limits: Limits) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ArchiveRefused(f"{directory} is not empty. Unpack into a directory of its own.")
    written = 0
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(data), mode="rb") as compressed,
            tarfile.open(fileobj=_Bounded(compressed, limits), mode="r|") as archive,  # type: ignore[call-overload]  # reads only
        ):
            for entry in archive:
                if entry.isdir():
                    continue
                name = _safe_name(entry, limits)
                written += name != MANIFEST
                if written > limits.files:
                    raise TreeTooLarge(f"The archive has more than {limits.files} files.")
                _write(directory / name, archive.extractfile(entry))
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, ValueError) as error:
        raise ArchiveRefused(f"This is not a readable .tar.gz archive: {error}. Pack the code base again.") from error
    _check_complete(directory, written)


def _safe_name(entry: tarfile.TarInfo, limits: Limits) -> str:
    name = entry.name.removeprefix("./")
    if not entry.isreg() or entry.issparse():  # a sparse file takes no room in the archive, and any on the disk
        raise ArchiveRefused(f"The archive holds {name!r}, which is not a regular file. Only files are accepted.")
    parts = PurePosixPath(name).parts
    outside = not parts or name.startswith("/") or ".." in parts or ":" in parts[0]
    if outside or unfit_name(name) or ".git" in parts:
        raise ArchiveRefused(f"The archive holds a file at {name!r}, a path that is not accepted.")
    if len(name) > limits.path_length or any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise ArchiveRefused(f"The archive holds a path longer than {limits.path_length} characters.")
    return "/".join(parts)


def _write(path: Path, content: IO[bytes] | None) -> None:
    if content is None:
        raise ArchiveRefused(f"The archive has no content for {path.name!r}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while chunk := content.read(65_536):
                file.write(chunk)
    except (FileExistsError, NotADirectoryError):
        raise ArchiveRefused(
            f"The archive holds {path.name!r} twice, as two files or as a file and a folder."
        ) from None


def _check_complete(directory: Path, written: int) -> None:
    """Tar has no end mark that a cut would always destroy; the manifest's count is one."""
    path = directory / MANIFEST
    if not path.is_file():
        return
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ArchiveRefused(f"The archive's {MANIFEST} is not readable. Pack the code base again.") from error
    if manifest.files != written:
        raise ArchiveRefused(
            f"The archive holds {written} files where {manifest.files} were packed. Pack the code base again.",
            details={"files": written, "packed": manifest.files},
        )


class _Bounded:
    """Decompressed bytes, up to a limit: a bomb is found while it goes off, not after."""

    def __init__(self, source: gzip.GzipFile, limits: Limits) -> None:
        self._source = source
        self._limit = limits.total_bytes
        self._left = limits.total_bytes + limits.files * _HEADERS_PER_FILE

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise TreeTooLarge(
                f"The archive unpacks to more than {self._limit // 1_048_576} MiB.", details={"limit": self._limit}
            )
        return data
