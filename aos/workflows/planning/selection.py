"""Who should work on a task: each candidate scored on what is known of it, with the reasons in words.

The weights are a convention, and stated. What a learned model will know better comes in behind `Selector`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

MOST_AGENTS = 5
"""Agents that take part in one workflow at most."""
DOMAINS: Mapping[str, tuple[str, ...]] = {
    "sales": ("sales", "crm"),
    "leadership": ("leadership", "strategy"),
    "erp": ("erp", "finance"),
    "crm": ("crm", "sales"),
    "finance": ("finance", "accounting"),
    "hr": ("hr", "leadership"),
}
"""Domains whose agents serve a domain."""
KEYWORDS: Mapping[str, str] = {
    "report": "reporting",
    "analysis": "analytics",
    "strategy": "strategy",
    "compliance": "compliance",
    "security": "security",
}
"""Words of a request that call for agents of a domain."""
WEIGHTS = {"capability": 0.45, "domain": 0.25, "results": 0.2, "load": 0.1}
_UNKNOWN = 0.5
"""Share of good results supposed of an agent that has none yet."""
_DOUBT = 4
"""Results that an agent needs for its own share to count as much as the supposed one."""
_BUSY = 20
"""Waiting messages at which an agent counts as fully loaded."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of an agent that might take part.

    Attributes:
        agent: Its address.
        capabilities, domains: What it can do, and where it belongs.
        succeeded, failed: Messages it dealt with well, and those it gave up.
        waiting: Messages in front of it.
        available: Whether it takes messages: not paused, quarantined or terminated.
    """

    agent: str
    capabilities: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    succeeded: int = 0
    failed: int = 0
    waiting: int = 0
    available: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task asks of those who work on it.

    Attributes:
        text: Its title, description and target.
        domain: Where it belongs.
        capabilities: What they have to be able to do, each of them covered by at least one agent.
        most: Agents at most.
    """

    text: str
    domain: str = ""
    capabilities: frozenset[str] = frozenset()
    most: int = MOST_AGENTS


@dataclass(frozen=True, slots=True)
class Choice:
    """One agent's place in the selection.

    Attributes:
        agent: Its address.
        score: 0..1.
        parts: The score's parts, each 0..1, before they are weighted.
        reason: The same in words.
    """

    agent: str
    score: float
    parts: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Who takes part, best first; who does not, and which capabilities nobody has."""

    chosen: tuple[Choice, ...]
    passed_over: tuple[Choice, ...] = ()
    missing: frozenset[str] = field(default=frozenset())


class Selector(Protocol):
    """Chooses agents for a task."""

    def select(self, wanted: Wanted, candidates: Sequence[Candidate]) -> Selection: ...


class ScoringSelector:
    """Chooses by capability, domain, past results and load."""

    def select(self, wanted: Wanted, candidates: Sequence[Candidate]) -> Selection:
        """Choose at most `wanted.most` agents.

        First those needed so that every wanted capability is covered, then others that fit the domain or the words.
        An agent that has nothing to do with the task is never taken, and one that takes no messages neither.
        """
        domains = _domains(wanted)
        scored = sorted(
            (_score(candidate, wanted, domains) for candidate in candidates if candidate.available),
            key=lambda choice: (-choice.score, choice.agent),
        )
        by_agent = {candidate.agent: candidate for candidate in candidates}
        chosen: list[Choice] = []
        missing = set(wanted.capabilities)
        while missing and len(chosen) < wanted.most:
            best = max(
                (choice for choice in scored if choice not in chosen),
                key=lambda choice: len(missing & by_agent[choice.agent].capabilities),
                default=None,
            )
            if best is None or not missing & by_agent[best.agent].capabilities:
                break
            missing -= by_agent[best.agent].capabilities
            chosen.append(best)
        fitting = [choice for choice in scored if choice not in chosen and _has_to_do_with_it(choice)]
        chosen += fitting[: wanted.most - len(chosen)]
        chosen.sort(key=lambda choice: (-choice.score, choice.agent))
        return Selection(tuple(chosen), tuple(c for c in scored if c not in chosen), frozenset(missing))


def _domains(wanted: Wanted) -> frozenset[str]:
    words = set(wanted.text.lower().split())
    called = {domain for word, domain in KEYWORDS.items() if word in words}
    return frozenset({*DOMAINS.get(wanted.domain, (wanted.domain,)), *called} - {""})


def _score(candidate: Candidate, wanted: Wanted, domains: frozenset[str]) -> Choice:
    able = wanted.capabilities & candidate.capabilities
    belongs = domains & candidate.domains
    known = candidate.succeeded + candidate.failed
    parts = {
        "capability": len(able) / len(wanted.capabilities) if wanted.capabilities else _words(candidate, wanted),
        "domain": 1.0 if belongs else 0.0,
        "results": (candidate.succeeded + _UNKNOWN * _DOUBT) / (known + _DOUBT),
        "load": 1 - min(candidate.waiting, _BUSY) / _BUSY,
    }
    score = sum(WEIGHTS[part] * value for part, value in parts.items())
    return Choice(candidate.agent, round(score, 4), parts, _reason(candidate, able, belongs, known))


def _words(candidate: Candidate, wanted: Wanted) -> float:
    """The share of an agent's capabilities that the request names, where it asks for none by name."""
    if not candidate.capabilities:
        return 0.0
    text = wanted.text.lower()
    named = sum(any(word in text for word in capability.lower().split("_")) for capability in candidate.capabilities)
    return named / len(candidate.capabilities)


def _has_to_do_with_it(choice: Choice) -> bool:
    return choice.parts["capability"] > 0 or choice.parts["domain"] > 0


def _reason(candidate: Candidate, able: frozenset[str], belongs: frozenset[str], known: int) -> str:
    said = []
    if able:
        said.append("can do " + ", ".join(sorted(able)))
    if belongs:
        said.append("belongs to " + ", ".join(sorted(belongs)))
    said.append(f"{candidate.succeeded} of {known} went well" if known else "has no results yet")
    if candidate.waiting:
        said.append(f"{candidate.waiting} messages wait for it")
    return "; ".join(said)
