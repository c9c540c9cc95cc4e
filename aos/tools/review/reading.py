"""Reads files that may be in any encoding, and tells text from the rest. Nothing in here fails on odd content."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

_LOOKED_AT = 8_000
"""Bytes in which a NUL says "binary": the rule git uses."""

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]{1,40})", re.MULTILINE)


def is_binary(data: bytes) -> bool:
    """Whether the content is not text, going by its beginning. An empty file is text."""
    head = data[:_LOOKED_AT]
    return b"\0" in head and not head.startswith(tuple(mark for mark, _ in _MARKS))


def decode(data: bytes) -> str:
    """The text, with line feeds for line ends. What no encoding explains becomes a replacement character or Latin-1."""
    return _decoded(data).replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: Path) -> str:
    """The text of a file. Blocking.

    Raises:
        OSError: the file cannot be read.
    """
    return decode(path.read_bytes())


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_declared_encoding(data), "replace")


def _declared_encoding(data: bytes) -> str:
    found = _DECLARED.search(b"\n".join(data[:1_000].split(b"\n", 2)[:2]))
    try:
        codec = codecs.lookup(found[1].decode("ascii")) if found else None
    except LookupError:
        codec = None
    # Other codecs than text encodings (base64, zip...) have no place in a coding line.
    return codec.name if codec is not None and codec._is_text_encoding else "latin-1"  # noqa: SLF001  # no public way
