"""Which events make a match: held against a search through all of them."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aos.kernel.message import format_time
from aos.workflows.events.partial_match import PartialMatch
from aos.workflows.events.pattern import Pattern

START = datetime(2026, 1, 1, tzinfo=UTC)
Events = list[tuple[str, float]]


def pattern_of(relationship: str, *conditions: Any, window: float = 60) -> Pattern:
    listed = [{"event": name, "threshold": count} for name, count in conditions]
    return Pattern.model_validate(
        {"name": "p", "conditions": listed, "temporal_relationship": relationship, "window": window}
    )


def play(pattern: Pattern, events: Events) -> list[tuple[int, list[int]]]:
    """For each match, by which event it was complete, and of which it is."""
    partial = PartialMatch(digest="", expires=START)
    matches = []
    for number, (name, second) in enumerate(events):
        met = [place for place, condition in enumerate(pattern.conditions) if condition.event == name]
        event = {"id": number, "time": format_time(START + timedelta(seconds=second))}
        if met:
            found = partial.take(pattern, event, met)
            if found is not None:
                matches.append((number, [each["id"] for each in found]))
    return matches


@pytest.mark.parametrize(
    ("relationship", "conditions", "events", "matches"),
    [
        ("all_within", [("a", 1), ("b", 1)], [("a", 0), ("b", 60)], [(1, [0, 1])]),
        ("all_within", [("a", 1), ("b", 1)], [("b", 0), ("a", 60)], [(1, [0, 1])]),
        ("all_within", [("a", 1), ("b", 1)], [("a", 0), ("b", 61)], []),
        ("all_within", [("a", 1), ("b", 1)], [("a", 0), ("a", 50), ("b", 61)], [(2, [1, 2])]),
        ("all_within", [("a", 2), ("b", 1)], [("a", 0), ("b", 1), ("a", 2)], [(2, [0, 1, 2])]),
        ("all_within", [("a", 2), ("b", 1)], [("a", 0), ("b", 50), ("a", 61)], []),
        ("all_within", [("a", 1), ("b", 1)], [("a", 0), ("b", 1), ("b", 2), ("a", 3)], [(1, [0, 1]), (3, [2, 3])]),
        ("all_within", [("a", 1), ("a", 1)], [("a", 0)], [(0, [0])]),
        ("any", [("a", 3), ("b", 1)], [("a", 0), ("a", 1), ("b", 2)], [(2, [2])]),
        ("any", [("a", 3), ("b", 9)], [("a", 0), ("a", 30), ("a", 61), ("a", 62)], [(3, [1, 2, 3])]),
        ("sequence", [("a", 1), ("b", 1)], [("a", 0), ("b", 1)], [(1, [0, 1])]),
        ("sequence", [("a", 1), ("b", 1)], [("b", 0), ("a", 1)], []),
        ("sequence", [("a", 1), ("b", 1)], [("a", 5), ("b", 4)], []),
        ("sequence", [("a", 1), ("b", 1)], [("a", 0), ("a", 30), ("b", 70)], [(2, [1, 2])]),
        ("sequence", [("a", 1), ("b", 1), ("c", 1)], [("a", 0), ("b", 1), ("a", 2), ("c", 3)], [(3, [0, 1, 3])]),
        ("sequence", [("a", 2), ("b", 1)], [("a", 0), ("b", 1), ("a", 2), ("b", 3)], [(3, [0, 2, 3])]),
        ("sequence", [("a", 1), ("a", 1)], [("a", 0), ("a", 1), ("a", 2)], [(1, [0, 1])]),
        ("sequence", [("a", 1), ("b", 1)], [("a", 10), ("a", 5), ("b", 11)], [(2, [1, 2])]),
    ],
)
def test_matches(relationship: str, conditions: Any, events: Events, matches: Any) -> None:
    assert play(pattern_of(relationship, *conditions), events) == matches


@pytest.mark.parametrize("relationship", ["all_within", "sequence"])
@pytest.mark.parametrize("seed", range(40))
def test_a_match_is_found_when_there_is_one(relationship: str, seed: int) -> None:
    chance = random.Random(seed)
    pattern = pattern_of(relationship, ("a", 1), ("b", 2), ("c", 1), window=20)
    moment = 0.0
    events: Events = []
    for _ in range(12):
        moment += chance.choice([1, 3, 8])
        events.append((chance.choice("abcd"), moment))
    first = next((number for number in range(len(events)) if _is_in(pattern, events[: number + 1])), None)
    found = play(pattern, events)
    assert (found[0][0] if found else None) == first


def _is_in(pattern: Pattern, events: Events) -> bool:
    """By trying all choices of four events."""
    for chosen in itertools.combinations(events, 4):
        if chosen[-1][1] - chosen[0][1] > 20:
            continue
        names = "".join(name for name, _ in chosen)
        if names == "abbc" or (pattern.temporal_relationship != "sequence" and sorted(names) == list("abbc")):
            return True
    return False
