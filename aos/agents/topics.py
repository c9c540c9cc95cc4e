"""Patterns of topics: `orders.*` takes one more word, `orders.#` any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic of dotted words fits a pattern, in which `*` stands for one word and `#` for any number."""
    return pattern == topic or _fits(pattern.split("."), topic.split("."))


def best(patterns: Iterable[str], topic: str) -> str | None:
    """The pattern that says most about the topic: the topic itself, else the one with the most words of its own."""
    fitting = [pattern for pattern in patterns if matches(pattern, topic)]
    return max(fitting, key=lambda pattern: (pattern == topic, _literals(pattern), pattern), default=None)


def _fits(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(_fits(rest, words[taken:]) for taken in range(len(words) + 1))
    return bool(words) and first in ("*", words[0]) and _fits(rest, words[1:])


def _literals(pattern: str) -> int:
    return sum(word not in ("*", "#") for word in pattern.split("."))
