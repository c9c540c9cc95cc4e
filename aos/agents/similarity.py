"""How alike two texts are by their words, without a model: TF-IDF cosine over pseudo-stems.

Weights are those of Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988): 1 + log of the
term's count, times a smoothed inverse document frequency. A word's stem is its first five letters, a fixed form of the
single-n-gram pseudo-stems of Mayfield and McNamee, "Single n-gram stemming" (SIGIR 2003): it needs no language's rules
and brings `strategy` and `strategic` together. What no word says - a synonym, a negation - this cannot see.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"[^\W\d_]{2,}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STEM = 5
_STOP_TEXT = (
    "about above after all also an and any are as at be because been before being below between both but by can could "
    "did do does doing down during each every everything few for from further get had has have having he her here hers "
    "him his how if in into is it its itself just made make makes me more most must my no nor not of off on once only "
    "or other our out over own same see she should so some such than that the their them then there these they thing "
    "things this those through to too under until up us very was we were what when where which while who whom why will "
    "with would you your agent event general message none null true false purpose operation"
)
_STOP_WORDS = frozenset(_STOP_TEXT.split())


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well a text matches the best of several statements.

    Attributes:
        score: Cosine, 0 to 1.
        statement: The statement it matches best; empty where it matches none.
        shared: Words of the text that it shares with that statement, the weightiest first.
    """

    score: float
    statement: str
    shared: tuple[str, ...]


class Statements:
    """Texts to compare others with. Their number and length bound the cost of a comparison."""

    def __init__(self, texts: Iterable[str]) -> None:
        kept = [text for text in texts if text.strip()]
        counts = [Counter(_stem(word) for word in words_of(text)) for text in kept]
        frequency = Counter(stem for count in counts for stem in count)
        self._unseen = math.log(1 + len(kept)) + 1
        self._idf = {stem: math.log((1 + len(kept)) / (1 + seen)) + 1 for stem, seen in frequency.items()}
        self._vectors = [(text, self._weigh(count)) for text, count in zip(kept, counts, strict=True)]

    def compare(self, text: str) -> Likeness:
        """Find the statement the text is most like."""
        words = words_of(text)
        vector = self._weigh(Counter(map(_stem, words)))
        best = Likeness(0.0, "", ())
        for statement, other in self._vectors:
            common = {stem: weight * other[stem] for stem, weight in vector.items() if stem in other}
            score = sum(common.values())
            if score > best.score:
                ranked = sorted({word for word in words if _stem(word) in common}, key=lambda w: (-common[_stem(w)], w))
                best = Likeness(min(1.0, round(score, 4)), statement, tuple(ranked))
        return best

    def _weigh(self, count: Mapping[str, int]) -> dict[str, float]:
        """The vector of a text, of length one."""
        weights = {stem: (1 + math.log(seen)) * self._idf.get(stem, self._unseen) for stem, seen in count.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {stem: weight / length for stem, weight in weights.items()}


@lru_cache(maxsize=256)
def statements(texts: tuple[str, ...]) -> Statements:
    """`Statements` of these texts; those used lately are not built again."""
    return Statements(texts)


def words_of(text: str) -> list[str]:
    """The words that carry meaning, in lower case; `orderPlaced` and `order.placed` are two words each."""
    return [word for word in _WORD.findall(_CAMEL.sub(" ", text).lower()) if word not in _STOP_WORDS]


def text_of(value: Any, limit: int) -> str:
    """The texts in a JSON value, names of members included, up to `limit` characters."""
    found: list[str] = []
    left = limit
    waiting = [value]
    while waiting and left > 0:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item[:left])
            left -= len(item) + 1
        elif isinstance(item, Mapping):
            for name, inner in list(item.items())[::-1][-left:]:
                waiting += [inner, str(name)]
        elif isinstance(item, (list, tuple)):
            waiting += item[:left][::-1]
    return " ".join(found)


def _stem(word: str) -> str:
    return word[:_STEM]
