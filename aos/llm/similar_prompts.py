"""Finds an earlier prompt that means nearly the same, by the cosine of their embeddings, so that its answer can serve.

Only the last message may differ: system prompt, earlier conversation, tools and everything else must be identical.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from aos.llm.messages import ChatMessage
from aos.llm.request import ModelRequest


class SimilarPrompts:
    """Vectors of earlier prompts, and the cache keys of their answers, in this process."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._known: OrderedDict[tuple[str, str], tuple[float, ...]] = OrderedDict()

    def find(self, setting: str, vector: Sequence[float], at_least: float) -> str | None:
        """Cache key of the likest earlier prompt of this setting, if its cosine is `at_least` that."""
        likest, best = None, at_least
        for (known_setting, key), known in self._known.items():
            if known_setting == setting:
                alike = cosine(vector, known)
                if alike >= best:
                    likest, best = key, alike
        return likest

    def add(self, setting: str, vector: Sequence[float], key: str) -> None:
        """Remember a prompt; the one longest known goes first where there are too many."""
        self._known[setting, key] = tuple(vector)
        self._known.move_to_end((setting, key))
        while len(self._known) > self._entries:
            self._known.popitem(last=False)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """From -1 to 1; 0 where either has no length, or they are of different models."""
    lengths = math.hypot(*one) * math.hypot(*other)
    if len(one) != len(other) or lengths == 0:
        return 0.0
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths


def question(request: ModelRequest) -> str:
    """The words that may differ: those of the last message."""
    return request.messages[-1].text


def without_question(request: ModelRequest) -> ModelRequest:
    """The request with its last message's words left out: what must be identical."""
    last = request.messages[-1]
    return request.model_copy(update={"messages": (*request.messages[:-1], ChatMessage(role=last.role, parts=()))})
