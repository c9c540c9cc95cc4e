"""The words that keep an action from being approved without a person."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from aos.workflows.human.action import canonical

UNSAFE_WORDS = ("delete", "remove", "drop", "reset", "overwrite", "format")
_STEMS = {"delet": "delete", "remov": "remove", "overwrit": "overwrite", "overwrote": "overwrite"}
"""How inflections begin that drop the last letter: `deleting`, `removal`, `overwritten`."""
_BEGINNINGS = re.compile(r"\b(" + "|".join((*_STEMS, *UNSAFE_WORDS)) + ")", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_|(?<=\d)(?=[A-Za-z])")


def unsafe_words(*values: Any) -> list[str]:
    """The unsafe words in texts and JSON values, in the order of `UNSAFE_WORDS`.

    A word counts wherever a word begins with it or with its stem, whatever the case: `Delete`, `deleting`,
    `formatted`; also inside names: `drop_table`, `resetPassword`. `information` has no word that begins with
    `format`.
    """
    found: set[str] = set()
    for value in values:
        text = value if isinstance(value, str) else canonical(value)
        for begin in _BEGINNINGS.findall(_HUMP.sub(" ", _plain(text))):
            found.add(_STEMS.get(begin.lower(), begin.lower()))
    return [word for word in UNSAFE_WORDS if word in found]


def _plain(text: str) -> str:
    """Without characters that cannot be seen, and with look-alike forms of letters as the letters."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
