"""Chooses an action by principles, a decision tree and evidence together. Pure: it calls nothing and stores nothing.

`aos.governance.decision.weigh` compares options by criteria of one kind; this engine lets three views of the same
evidence each score the options, and says how far they agree.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import fmean, pvariance
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aos.governance.decision import Alternative
from aos.governance.decision_tree import APPROVE, Tree, walk
from aos.kernel.errors import InvalidInput, SettingInvalid

HISTORY = 1_000
MAX_OPTIONS = 100
_FULL_EVIDENCE = 10.0
"""The sum of an option's numeric evidence that counts as full."""

Scoring = Literal["weighted", "max", "min"]
View = Literal["principles", "tree", "evidence"]


class Principle(BaseModel):
    """What speaks for an action: evidence of `criterion`, times `weight`, which is negative where it speaks against.

    Attributes:
        actions: The actions it concerns; every one, where empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    criterion: str
    weight: float = 1.0
    actions: frozenset[str] = frozenset()


class EngineSettings(BaseModel):
    """How an engine decides.

    Attributes:
        principles: Their weighted evidence adds up to a score, held within 0 and 1.
        decision_tree: Its action scores 1, every other 0.
        scoring: How the views are blended: their weighted mean, the highest, or the lowest.
        weights: How much each view matters for the mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    principles: tuple[Principle, ...] = ()
    decision_tree: Tree = APPROVE
    scoring: Scoring = "weighted"
    weights: Mapping[View, float] = Field(default={"principles": 1.0, "tree": 1.0, "evidence": 1.0})


class EngineDecision(BaseModel):
    """What the engine chose.

    Attributes:
        decision_id: Number of the decision in the engine's life: `decision_1`.
        agent_id: For whom.
        timestamp: When.
        action: The chosen option.
        score: The blended score of each option, 0 to 1.
        views: What each view alone gave each option.
        confidence: 1 less the variance of what the views gave the chosen option: 1 where they agree.
        reasoning: In words.
        context: As it was given.
    """

    decision_id: str
    agent_id: str
    timestamp: datetime
    action: str
    score: dict[str, float]
    views: dict[str, dict[str, float]]
    confidence: float
    reasoning: str
    context: dict[str, Any]

    def as_record(self) -> dict[str, Any]:
        """In the form `Turn.decide` takes, without the question and the choice."""
        ranked = sorted(self.score.items(), key=lambda item: -item[1])
        alternatives = [Alternative(option=name, score=score, reason=self._reason(name)) for name, score in ranked]
        return {
            "rationale": self.reasoning,
            "alternatives": [alternative.model_dump() for alternative in alternatives],
            "confidence": self.confidence,
        }

    def _reason(self, option: str) -> str:
        return ", ".join(f"{view} {scores[option]:.2f}" for view, scores in self.views.items())


class DecisionEngine:
    """Decides, and remembers its latest decisions.

    Attributes:
        history: The latest 1,000 decisions, oldest first.
    """

    def __init__(self, settings: EngineSettings | None = None, *, clock: Callable[[], datetime]) -> None:
        self.settings = settings or EngineSettings()
        self.history: deque[EngineDecision] = deque(maxlen=HISTORY)
        self._clock = clock
        self._made = 0

    @classmethod
    def from_json(cls, text: str | bytes, *, clock: Callable[[], datetime]) -> DecisionEngine:
        """An engine from `EngineSettings` as JSON. Raises `SettingInvalid`, naming what cannot be used."""
        try:
            return cls(EngineSettings.model_validate(json.loads(text)), clock=clock)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = ".".join(map(str, first["loc"]))
            raise SettingInvalid(f"Setting {name!r} of the decision engine cannot be used: {first['msg']}.") from error
        except ValueError as error:
            raise SettingInvalid(f"The decision engine's settings are not JSON: {error}.") from error

    def decide(
        self,
        agent_id: str,
        evidence: Mapping[str, Any],
        *,
        options: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
    ) -> EngineDecision:
        """Choose an action.

        Args:
            agent_id: For whom.
            evidence: By criterion. What differs between options stands under the option's name, as an object of
                its own, and counts over the rest.
            options: What there is to choose from; the action the tree comes to, where none are given.
            context: Kept with the decision.

        Returns:
            The decision; of equal options the earlier one is chosen.

        Raises:
            InvalidInput: two options have one name, or there are too many.
        """
        if len(set(options)) != len(options) or len(options) > MAX_OPTIONS:
            raise InvalidInput(f"Give up to {MAX_OPTIONS} options, each with a name of its own.")
        shared = {name: value for name, value in evidence.items() if name not in options}
        by_tree, path = walk(self.settings.decision_tree, shared)
        names = list(options) or [by_tree]
        facts = {name: {**shared, **_own(evidence, name)} for name in names}
        views = self._views(names, facts)
        score = {name: self._blend({view: scores[name] for view, scores in views.items()}) for name in names}
        action = max(names, key=lambda name: score[name])
        given = [scores[action] for scores in views.values()]
        self._made += 1
        decision = EngineDecision(
            decision_id=f"decision_{self._made}",
            agent_id=agent_id,
            timestamp=self._clock(),
            action=action,
            score=score,
            views=views,
            confidence=round(min(1.0, max(0.0, 1 - pvariance(given))), 4),
            reasoning=self._reasoning(action, score, views, path),
            context=dict(context or {}),
        )
        self.history.append(decision)
        return decision

    def _views(self, names: Sequence[str], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
        """What each view gives each option; a view that has nothing to say is left out."""
        views: dict[str, dict[str, float]] = {}
        if self.settings.principles:
            views["principles"] = {name: self._by_principles(name, facts[name]) for name in names}
        reached = {name: walk(self.settings.decision_tree, facts[name])[0] for name in names}
        if any(reached[name] == name for name in names):
            views["tree"] = {name: float(reached[name] == name) for name in names}
        if not views or any(_numbers(facts[name]) for name in names):
            views["evidence"] = {name: _clamp(sum(_numbers(facts[name])) / _FULL_EVIDENCE) for name in names}
        return views

    def _by_principles(self, option: str, facts: Mapping[str, Any]) -> float:
        concerned = [each for each in self.settings.principles if not each.actions or option in each.actions]
        return _clamp(sum(_number(facts.get(each.criterion)) * each.weight for each in concerned))

    def _blend(self, scores: Mapping[str, float]) -> float:
        if self.settings.scoring == "max":
            return round(max(scores.values()), 4)
        if self.settings.scoring == "min":
            return round(min(scores.values()), 4)
        weights = {view: weight for view, weight in self.settings.weights.items() if view in scores}
        total = sum(weights.values())
        if total <= 0:
            return round(fmean(scores.values()), 4)
        return round(sum(scores[view] * weight for view, weight in weights.items()) / total, 4)

    def _reasoning(
        self, action: str, score: Mapping[str, float], views: Mapping[str, Mapping[str, float]], path: Sequence[str]
    ) -> str:
        parts = ", ".join(f"{view} {scores[action]:.2f}" for view, scores in views.items())
        text = f"{action!r} scores {score[action]:.2f} ({self.settings.scoring} of {parts})"
        others = [name for name in score if name != action]
        if others:
            second = max(others, key=lambda name: score[name])
            text += f", against {score[second]:.2f} of {second!r}"
        return f"{text}. The tree asked: {'; '.join(path)}." if path else f"{text}."


def _own(evidence: Mapping[str, Any], option: str) -> Mapping[str, Any]:
    """What the evidence says of this option alone."""
    found = evidence.get(option)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _numbers(facts: Mapping[str, Any]) -> list[float]:
    return [float(value) for value in facts.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]


def _clamp(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)
