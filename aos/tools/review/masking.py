"""Takes secrets out of text before it is shown, stored or sent. It would rather hide too much than too little."""

from __future__ import annotations

import math
import re
from collections import Counter

MASK = "***"

_NAMES = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|(?:api|access|account|private|shared|signing|auth)"
    r"[_-]?key|connection[_-]?string|authorization)"
)
_ASSIGNED = re.compile(
    rf"(?i)({_NAMES}\w{{0,40}}[\"'\]]{{0,2}}\s{{0,20}}(?::\s{{0,5}}[\w.\[\]| ]{{1,40}})?(?:=>|:=|[:=]{{1,2}})"
    r"\s{0,20}[rbfu]{0,2})"
    r"(\"[^\"]*\"?|'[^']*'?)"
)
_BARE = re.compile(
    rf"(?i)({_NAMES}\w{{0,40}}\s{{0,20}}[:=]\s{{0,20}})(?=[^\s\"']{{0,200}}[\d!@#%^&*+/])"
    r"([^\s\"'(){}\[\],;$<>]{6,})"
)
_IN_URL = re.compile(r"(://[^\s/:@\"']{0,100}:)[^\s/@\"']{1,200}(@)")
_HEADER = re.compile(r"(?i)\b(bearer|basic)(\s{1,5})[a-z0-9+/=._~-]{8,}")
_KNOWN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|sk[-_][\w-]{16,}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.[\w-]{4,}(?:\.[\w-]*)?|pypi-[\w-]{20,}|npm_\w{20,})"
)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_LITERAL = re.compile(r"\"[^\"]*\"?|'[^']*'?")
_RANDOM_FROM = 3.9
"""Bits a character: English words and identifiers stay below, random base64 of this length is above."""


def mask(text: str) -> str:
    """The text with everything that looks like a secret replaced. Masking twice changes nothing."""
    text = _IN_URL.sub(rf"\1{MASK}\2", text)
    text = _ASSIGNED.sub(lambda found: found[1] + _emptied(found[2]), text)
    text = _BARE.sub(rf"\1{MASK}", text)
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _KNOWN.sub(MASK, text)
    return _LONG_RUN.sub(lambda found: MASK if _looks_random(found[0]) else found[0], text)


def mask_literals(text: str) -> str:
    """The text without the content of any quoted string, for a line that is known to hold a secret."""
    return _LITERAL.sub(lambda found: _emptied(found[0]), text)


def _emptied(literal: str) -> str:
    quote = literal[0]
    if literal in (quote, quote * 2):
        return literal
    return f"{quote}{MASK}{quote if literal.endswith(quote) else ''}"


def _looks_random(run: str) -> bool:
    if _HEX.fullmatch(run):
        return True
    kinds = (any(c.isdigit() for c in run), any(c.isupper() for c in run), any(c.islower() for c in run))
    return all(kinds) and _entropy(run) >= _RANDOM_FROM


def _entropy(run: str) -> float:
    return -sum(n / len(run) * math.log2(n / len(run)) for n in Counter(run).values())
