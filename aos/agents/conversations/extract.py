"""A summary without a model: the sentences that say most of what the whole says, as they are.

Sentences are scored by their likeness to the centroid of all (Radev et al., "Centroid-based summarization of multiple
documents", 2004), and taken one by one by maximal marginal relevance (Carbonell and Goldstein, "The use of MMR", 1998),
so that none repeats another. Words are weighed by TF-IDF. The same text always gives the same summary. It knows words
and not meanings: what matters most but is said in rare words once may be left out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from aos.agents.similarity import words_of

_SENTENCE = re.compile(r"(?<=[.!?。!?])\s+|\n+")
_LONGEST = 400
_MOST_SENTENCES = 400
_RELEVANCE = 0.7
"""What likeness to the whole counts for, against being unlike what was taken already."""

Vector = Mapping[str, float]


def extract(texts: Sequence[str], max_characters: int) -> str:
    """The most telling sentences of `texts`, in the order they were said, one a line.

    Args:
        texts: What was said, oldest first.
        max_characters: Of the summary.
    """
    sentences = _sentences(texts)
    vectors = _vectors(sentences)
    centroid: Counter[str] = Counter()
    for vector in vectors:
        centroid.update(vector)
    relevance = [_cosine(vector, centroid) for vector in vectors]
    left = [number for number, score in enumerate(relevance) if score > 0]
    likest = dict.fromkeys(left, 0.0)
    taken: list[int] = []
    room = max_characters
    while left:
        best = max(left, key=lambda n: (_RELEVANCE * relevance[n] - (1 - _RELEVANCE) * likest[n], n))
        left.remove(best)
        if len(sentences[best]) + 1 > room or likest[best] > 0.95:
            continue
        taken.append(best)
        room -= len(sentences[best]) + 1
        for number in left:
            likest[number] = max(likest[number], _cosine(vectors[number], vectors[best]))
    return "\n".join(sentences[number] for number in sorted(taken))


def _sentences(texts: Sequence[str]) -> list[str]:
    found = [part.strip() for text in texts for part in _SENTENCE.split(text)]
    return [part[:_LONGEST] for part in found if part][-_MOST_SENTENCES:]


def _vectors(sentences: Sequence[str]) -> list[dict[str, float]]:
    counts = [Counter(words_of(sentence)) for sentence in sentences]
    frequency = Counter(word for count in counts for word in count)
    total = len(sentences)
    return [
        {word: (1 + math.log(seen)) * (math.log((1 + total) / (1 + frequency[word])) + 1) for word, seen in c.items()}
        for c in counts
    ]


def _cosine(one: Vector, other: Vector) -> float:
    common = sum(weight * other[word] for word, weight in one.items() if word in other)
    if not common:
        return 0.0
    return common / math.sqrt(_square(one) * _square(other))


def _square(vector: Vector) -> float:
    return sum(weight * weight for weight in vector.values())
