"""The router as people see it: who would be asked and why, who is configured and how they fare, and a call to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aos.llm.candidates import Candidate, Search
from aos.llm.errors import ModelError
from aos.llm.provider import ProviderProfile
from aos.llm.request import ModelRequest
from aos.llm.route import CallContext, Route
from aos.llm.router import ModelRouter
from aos.llm.strategies import strategy_of
from aos.llm.transport import CallTimes
from aos.llm.tries import Try

_GREETING = "Answer with the single word: ready."
_PROBE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """One model in the order of a call.

    Attributes:
        why: Why it stands at this place.
        usd: What the call would cost, about; None where the price is not known.
        obstacle: Why it would be passed over at this moment; None where it would be asked.
    """

    provider: str
    model: str
    tier: int
    why: str
    usd: float | None
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who would be asked, first to last, and who would not, with the reasons."""

    strategy: str
    order: tuple[Place, ...]
    passed_over: tuple[dict[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Overview:
    """Looks at a router from outside.

    Args:
        router: The one that is looked at.
    """

    def __init__(self, router: ModelRouter) -> None:
        self._router = router

    async def explain(
        self, request: ModelRequest, route: Route | None = None, *, context: CallContext | None = None
    ) -> Explanation:
        """What a call would do, without making it."""
        router = self._router
        chosen = router.settings.routes.resolve(context or CallContext(), route)
        search = router.search(request, chosen)
        await router.health.breakers.refresh()
        ranked, found = await router.select(search)
        output = search.needs.output_tokens or router.settings.assumed_output_tokens
        return Explanation(
            strategy=strategy_of(chosen) or "chain",
            order=tuple(
                Place(
                    provider=each.candidate.profile.id,
                    model=each.candidate.model,
                    tier=each.candidate.tier,
                    why=each.why,
                    usd=each.candidate.usd(search.needs.input_tokens, output),
                    obstacle=router.health.obstacle(each.candidate),
                )
                for each in ranked
            ),
            passed_over=tuple(asdict(each) for each in found.passed_over),
        )

    async def providers(self) -> list[dict[str, Any]]:
        """All providers: whether configured, tier, status, breaker, health, price and counts."""
        await self._router.health.breakers.refresh()
        return [await self._provider(profile) for profile in self._router.catalogue.providers.values()]

    async def candidates(self, spellings: Sequence[str] = ()) -> list[Candidate]:
        """Each configured provider with its default model, or the models that are named."""
        search = self._search(Route(models=tuple(spellings)))
        return (await self._router.catalogue.select(search)).candidates

    async def probe(self, candidate: Candidate, seconds: float = 30.0) -> Try:
        """Make one small call, whatever the breakers say. One that succeeds closes them."""
        router = self._router
        request = ModelRequest.ask(_GREETING, max_tokens=_PROBE_TOKENS, allow_truncated=True)
        started = router.clock.monotonic()
        times = CallTimes(deadline=started + seconds, whole=seconds)
        try:
            response = await router.transport.complete(candidate.profile, candidate.model, request, times=times)
        except ModelError as error:
            elapsed = router.clock.monotonic() - started
            router.statistics.failed(*candidate.key)
            return Try.failed(*candidate.key, elapsed, error)
        elapsed = router.clock.monotonic() - started
        cost = None if candidate.price is None else candidate.price.cost(response.usage).usd
        router.statistics.succeeded(*candidate.key, elapsed, response.usage, cost)
        router.health.reset(candidate)
        await router.health.breakers.publish()
        return Try(*candidate.key, "success", round(elapsed, 3), usd=cost)

    async def _provider(self, profile: ProviderProfile) -> dict[str, Any]:
        router = self._router
        today = router.clock.now().date()
        missing = list(await router.configured.missing(profile))
        model = await router.configured.default_model(profile)
        facts: dict[str, Any] = {
            "provider": profile.id,
            "name": profile.name or profile.id,
            "tier": profile.tier,
            "local": profile.local,
            "status": profile.status if profile.is_available(today) or not profile.enabled else "retired",
            "enabled": profile.enabled,
            "configured": not missing,
            "missing": missing,
            "notice": profile.notice,
            "model": model,
            "breaker": router.health.breakers.get(profile.id).state.value,
            "price": None,
        }
        if model is None:
            return facts
        found = await router.catalogue.select(self._search(Route(force=f"{profile.id}/{model}")))
        price = router.catalogue.prices.of(profile, model, today)
        if price is not None:
            facts["price"] = price.model_dump(mode="json", include={"input", "output", "cached_input", "since"})
        tally = router.statistics.by_provider.get(profile.id)
        facts["calls"] = None if tally is None else tally.to_json()
        for candidate in found.candidates:
            facts.update(router.health.report(candidate))
            facts["model_breaker"] = router.health.of_model(candidate).state.value
        return facts

    def _search(self, route: Route) -> Search:
        return self._router.search(ModelRequest.ask(_GREETING), route)
