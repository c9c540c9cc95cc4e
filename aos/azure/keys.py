r"""Table keys: any text, written so that Table storage accepts it, order included.

The service forbids `/ \ # ?` and control characters in keys, and clients stumble over `%`. Each is written as the
nearest permitted character before it and a digit or two; that character is escaped alike. No code is a prefix of
another, and codes sort as the characters they stand for: keys keep their order, and ranges stay ranges.
"""

from __future__ import annotations

import re

from aos.kernel.errors import InvalidInput

MAX_UNITS = 512
"""The service's limit for a key: 1 KiB of UTF-16."""

_PAIRS = ('"#', "$%", "./", ">?", "[\\")
_LOW = range(0x21)
"""Control characters and the space, written after a space."""
_HIGH = range(0x7E, 0xA0)
"""The tilde, delete and more control characters, written after a tilde."""

_ENCODE: dict[str, str] = {
    **{pair[digit]: f"{pair[0]}{digit}" for pair in _PAIRS for digit in (0, 1)},
    **{chr(code): f" {code:02x}" for code in _LOW},
    **{chr(code): f"~{code - _HIGH.start:02x}" for code in _HIGH},
}
_DECODE = {code: character for character, code in _ENCODE.items()}
_TRANSLATION = str.maketrans(_ENCODE)
_CODES = re.compile(r'[ ~][0-9a-f]{2}|["$.>\[][01]')
_ESCAPED = re.compile(r'[\x00-\x20\x7e-\x9f"#$%./>?\[\\]')


def encode_key(key: str) -> str:
    """The key as it is stored.

    Raises:
        InvalidInput: it is longer than the service allows, or is not well-formed Unicode.
    """
    stored = key.translate(_TRANSLATION) if _ESCAPED.search(key) else key
    if utf16_units(stored, f"key {key[:40]!r}") > MAX_UNITS:
        raise InvalidInput(f"Key {key[:40]!r}... is too long: at most {MAX_UNITS} UTF-16 units. Use a digest instead.")
    return stored


def decode_key(stored: str) -> str:
    """The key as it was given to `encode_key`; what other programs wrote is taken as it is."""
    return _CODES.sub(lambda found: _DECODE.get(found[0], found[0]), stored)


def utf16_units(text: str, what: str) -> int:
    """The length of `text` as the service counts it.

    Raises:
        InvalidInput: `text` holds half a surrogate pair, which no encoding can carry.
    """
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError as error:
        raise InvalidInput(f"The {what} holds a lone surrogate, which is not text. Remove it.") from error
