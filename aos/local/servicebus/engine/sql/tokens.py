"""Cuts a rule's SQL into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from aos.local.servicebus.engine.errors import FilterInvalid


class Kind(Enum):
    """What a token is. A word is a keyword or a name; a quoted name is never a keyword."""

    WORD = auto()
    QUOTED_NAME = auto()
    STRING = auto()
    INTEGER = auto()
    FLOAT = auto()
    PARAMETER = auto()
    SYMBOL = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is what the token means: quotes are gone, keywords are as written. `at` counts from 0."""

    kind: Kind
    text: str
    at: int


_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>'(?:[^']|'')*')
  | (?P<bracket>\[(?:[^\]]|\]\])*\])
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<float>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<integer>\d+)
  | (?P<parameter>@[^\W\d]\w*)
  | (?P<word>[^\W\d_]\w*)
  | (?P<symbol><>|!=|<=|>=|[=<>+\-*/%(),.;])
    """,
    re.VERBOSE,
)


def tokenize(text: str) -> list[Token]:
    """All tokens, an `END` last. Raises FilterInvalid for what cannot be one."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise FilterInvalid(f"Unexpected {text[at]!r} at position {at + 1} of {text!r}.")
        group, value = match.lastgroup, match.group()
        if group != "space":
            tokens.append(_token(str(group), value, at))
        at = match.end()
    tokens.append(Token(Kind.END, "", at))
    return tokens


def _token(group: str, value: str, at: int) -> Token:
    if group == "string":
        return Token(Kind.STRING, value[1:-1].replace("''", "'"), at)
    if group == "bracket":
        return Token(Kind.QUOTED_NAME, value[1:-1].replace("]]", "]"), at)
    if group == "quoted":
        return Token(Kind.QUOTED_NAME, value[1:-1].replace('""', '"'), at)
    return Token(Kind[group.upper()], value, at)
