"""Finds the models that could answer a call, and says of each other one why it cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Protocol

from aos.llm.prices import Price, Prices
from aos.llm.provider import Capabilities, Limits, ProviderProfile
from aos.llm.request import EmbeddingRequest, ModelRequest
from aos.llm.route import Route

_log = logging.getLogger(__name__)


class Settings(Protocol):
    """What is configured of a provider, as `aos.llm.endpoint.Endpoints` knows it."""

    async def missing(self, profile: ProviderProfile) -> Sequence[str]:
        """Settings without which the provider cannot be asked."""
        ...

    async def default_model(self, profile: ProviderProfile) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call asks of a model.

    Attributes:
        input_tokens: A rough count of the prompt.
        output_tokens: The bound of the answer; None where there is none.
    """

    input_tokens: int
    output_tokens: int | None = None
    tools: bool = False
    vision: bool = False
    streaming: bool = False
    embeddings: bool = False
    dimensions: int | None = None

    @classmethod
    def of(cls, request: ModelRequest | EmbeddingRequest, *, streaming: bool = False) -> Needs:
        if isinstance(request, EmbeddingRequest):
            # Texts are embedded one by one, so that the longest must fit.
            longest = max(len(text) for text in request.inputs) // 4 + 1
            return cls(longest, embeddings=True, dimensions=request.dimensions)
        return cls(
            input_tokens=request.estimated_input_tokens,
            output_tokens=request.max_tokens,
            tools=bool(request.tools),
            vision=request.needs_vision,
            streaming=streaming,
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that can answer.

    Attributes:
        position: In the chain, or in the order of the catalogue.
    """

    profile: ProviderProfile
    model: str
    capabilities: Capabilities
    limits: Limits
    price: Price | None
    position: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.profile.id, self.model

    @property
    def label(self) -> str:
        return f"{self.profile.id}/{self.model}"

    @property
    def tier(self) -> int:
        tier = self.profile.model(self.model).tier
        return self.profile.tier if tier is None else tier

    def usd(self, input_tokens: int, output_tokens: int) -> float | None:
        return None if self.price is None else self.price.estimate(input_tokens, output_tokens)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A model that will not be asked, and why."""

    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: models on this route with these abilities, on this day."""

    route: Route
    needs: Needs
    today: date


@dataclass(slots=True)
class Selection:
    candidates: list[Candidate]
    passed_over: list[PassedOver]


class Catalogue:
    """The providers and what is known of them on this day.

    Args:
        providers: By id, in the order of the catalogue; the mapping may answer to aliases too.
        prices: Of their models.
        settings: What is configured.
    """

    def __init__(self, providers: Mapping[str, ProviderProfile], prices: Prices, settings: Settings) -> None:
        self.providers = providers
        self.prices = prices
        self.settings = settings

    async def select(self, search: Search) -> Selection:
        """The candidates of a route in the order of its chain, without regard to how they are faring."""
        found = Selection([], [])
        seen: set[tuple[str, str]] = set()
        for position, (profile, model) in enumerate(self._named(search.route)):
            await self._consider(found, seen, (profile, model, position), search)
        for spelling in self._unknown(search.route):
            found.passed_over.append(PassedOver(spelling, "", "no provider or model has this name"))
        return found

    async def larger(self, candidate: Candidate, search: Search) -> list[Candidate]:
        """Models of the configured providers that have more room than `candidate`, smallest first."""
        room = candidate.limits.context_window
        if room is None:
            return []
        wide = replace(search, route=search.route.model_copy(update={"models": (), "force": None}))
        found: list[Candidate] = []
        for profile in self.providers.values():
            if self._bar(profile, "", wide) is None and not await self.settings.missing(profile):
                for listed in profile.models:
                    other = self._candidate(profile, listed.id, len(found), search.today)
                    if (other.limits.context_window or 0) > room and not self._misfit(other, wide):
                        found.append(other)
        return sorted(found, key=lambda c: (c.limits.context_window or 0, c.tier, c.profile.priority))

    def _named(self, route: Route) -> Iterable[tuple[ProviderProfile, str | None]]:
        spellings = (route.force,) if route.force is not None else route.models
        if not spellings:
            return [(profile, None) for profile in self.providers.values()]
        return [pair for spelling in spellings for pair in self._lookup(spelling)]

    def _unknown(self, route: Route) -> list[str]:
        spellings = (route.force,) if route.force is not None else route.models
        return [spelling for spelling in spellings if not self._lookup(spelling)]

    def _lookup(self, spelling: str) -> list[tuple[ProviderProfile, str | None]]:
        if spelling in self.providers:
            return [(self.providers[spelling], None)]
        provider, slash, model = spelling.partition("/")
        if slash and provider in self.providers:
            return [(self.providers[provider], model)]
        return [
            (profile, listed.id)
            for profile in self.providers.values()
            for listed in profile.models
            if spelling == listed.id or spelling in listed.aliases
        ]

    async def _consider(
        self,
        found: Selection,
        seen: set[tuple[str, str]],
        named: tuple[ProviderProfile, str | None, int],
        search: Search,
    ) -> None:
        profile, model, position = named
        reason = self._bar(profile, model or "", search)
        if reason is None and (missing := await self.settings.missing(profile)):
            reason = f"not configured: set {' and '.join(missing)}"
        if reason is not None:
            found.passed_over.append(PassedOver(profile.id, model or profile.default_model or "", reason))
            return
        chosen = await self._choose(profile, model, position, search)
        if isinstance(chosen, PassedOver):
            found.passed_over.append(chosen)
        elif chosen.key not in seen:
            seen.add(chosen.key)
            found.candidates.append(chosen)

    async def _choose(
        self, profile: ProviderProfile, model: str | None, position: int, search: Search
    ) -> Candidate | PassedOver:
        """The model itself; where only the provider was named, its default or else the first that fits."""
        wanted, others = await self._wanted(profile, model, search.needs)
        if not wanted:
            kind = "embedding model" if search.needs.embeddings else "model"
            return PassedOver(profile.id, "", f"no {kind} is named, and the provider has no default")
        first = self._candidate(profile, wanted, position, search.today)
        problem = self._misfit(first, search)
        if problem is None:
            return first
        for name in others:
            other = self._candidate(profile, name, position, search.today)
            if self._misfit(other, search) is None:
                return other
        return PassedOver(profile.id, wanted, problem)

    async def _wanted(
        self, profile: ProviderProfile, model: str | None, needs: Needs
    ) -> tuple[str | None, tuple[str, ...]]:
        if model is not None:
            return model, ()
        if needs.embeddings:
            return profile.default_embedding_model, ()
        default = await self.settings.default_model(profile)
        return default, tuple(listed.id for listed in profile.models if listed.id != default)

    def _candidate(self, profile: ProviderProfile, model: str, position: int, today: date) -> Candidate:
        return Candidate(
            profile=profile,
            model=model,
            capabilities=profile.capabilities_of(model),
            limits=profile.limits_of(model),
            price=self.prices.of(profile, model, today),
            position=position,
        )

    @staticmethod
    def _bar(profile: ProviderProfile, model: str, search: Search) -> str | None:
        """Why the provider is out of the question."""
        route = search.route
        if not profile.enabled:
            return "disabled"
        if not profile.is_available(search.today):
            since = f" since {profile.sunset}" if profile.sunset else ""
            return f"retired{since}. {profile.notice}".strip()
        if route.local_only and not profile.local:
            return "not on the user's own machines, and the route is local only"
        if route.tiers and not model and not _tiers(profile) & route.tiers:
            return f"tier {profile.tier} is not on the route"
        return None

    @staticmethod
    def _misfit(candidate: Candidate, search: Search) -> str | None:
        """Why the model cannot do this."""
        profile, model = candidate.profile, candidate.model
        if not profile.is_model_current(model, search.today):
            ended = profile.model(model).deprecated_on
            _warn_once(profile.id, model, ended)
            return f"deprecated since {ended}"
        tiers = search.route.tiers
        if tiers and candidate.tier not in tiers:
            return f"tier {candidate.tier} is not on the route"
        return _incapable(candidate, search.needs) or _too_small(candidate, search.needs)


@cache
def _warn_once(provider: str, model: str, ended: date | None) -> None:
    _log.warning("Model %s of %s is passed over: it is deprecated since %s.", model, provider, ended)


def _tiers(profile: ProviderProfile) -> frozenset[int]:
    return frozenset({profile.tier, *(model.tier for model in profile.models if model.tier is not None)})


def _incapable(candidate: Candidate, needs: Needs) -> str | None:
    can = candidate.capabilities
    wanted = {
        "embeddings": (needs.embeddings, can.embeddings),
        "chat": (not needs.embeddings, can.chat),
        "tools": (needs.tools, can.tools),
        "images": (needs.vision, can.vision),
        "streaming": (needs.streaming, can.streaming),
    }
    lacking = [name for name, (needed, able) in wanted.items() if needed and able is False]
    return f"cannot do: {', '.join(lacking)}" if lacking else None


def _too_small(candidate: Candidate, needs: Needs) -> str | None:
    limits = candidate.limits
    room = limits.context_window
    wanted = needs.input_tokens + (needs.output_tokens or 0)
    if room is not None and wanted > room:
        return f"reads {room} tokens, and about {wanted} are needed"
    longest = limits.max_output_tokens
    if longest is not None and (needs.output_tokens or 0) > longest:
        return f"writes at most {longest} tokens, and {needs.output_tokens} are asked for"
    return None
