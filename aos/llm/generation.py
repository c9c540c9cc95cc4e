"""One prompt, one answer, whoever gives it: the short form for callers that want text and the tries behind it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from aos.llm.request import ModelRequest
from aos.llm.route import CallContext, Route, Strategy
from aos.llm.router import ModelRouter


class AIResponse(BaseModel):
    """An answer in plain fields.

    Attributes:
        cost_usd: None where the price is not known.
        latency_ms: Of the try that answered.
        attempt_number: Which try that was, from 1; 0 where the answer came from the cache.
        fallback_used: Another model had failed before.
        attempts: Each try: `provider`, `model`, `status` (success, timeout, error), `seconds`, `error`, `message`.
        raw_response: The answer with everything the provider said of it.
        degraded: The answer is not in full from a model; `degraded_reason` says what it is.
    """

    model_config = ConfigDict(frozen=True)

    content: str
    provider: str
    model: str
    tokens_used: int
    cost_usd: float | None
    latency_ms: float
    attempt_number: int
    fallback_used: bool
    attempts: list[dict[str, Any]]
    raw_response: dict[str, Any]
    degraded: bool = False
    degraded_reason: str | None = None


async def generate_with_fallback(
    router: ModelRouter,
    prompt: str,
    model_preference: str | None = None,
    max_tokens: int = 4_000,
    temperature: float = 0.7,
    system_prompt: str | None = None,
    strategy: Strategy | None = None,
    *,
    context: CallContext | None = None,
) -> AIResponse:
    """Ask a question; the preferred model first, then all others in the order of the strategy.

    Args:
        router: Whom to ask.
        prompt: The question.
        model_preference: A provider, or provider/model, that is asked first.
        max_tokens: Bound of the answer; one that runs into it is given as far as it came.
        temperature: Of the sampling.
        system_prompt: An instruction put before the question.
        strategy: The order.
        context: On whose account.

    Raises:
        AllModelsFailed: nobody answered; it lists each try and why.
        BudgetExceeded: the money does not reach.
    """
    request = ModelRequest.ask(
        prompt, system=system_prompt, max_tokens=max_tokens, temperature=temperature, allow_truncated=True
    )
    route = Route(strategy=strategy) if strategy is not None else Route()
    if model_preference is not None:
        route = Route(models=await _preferred(router, model_preference, request, route))
    answered = await router.answer(request, route, context=context or CallContext())
    response, tries = answered.response, answered.tries
    return AIResponse(
        content=response.text,
        provider=response.provider,
        model=response.model,
        tokens_used=response.usage.total_tokens,
        cost_usd=None if response.cost is None else response.cost.usd,
        latency_ms=response.latency * 1_000,
        attempt_number=len(tries),
        fallback_used=len({(each.provider, each.model) for each in tries}) > 1,
        attempts=[each.to_json() for each in tries],
        raw_response=response.model_dump(mode="json"),
        degraded=response.degraded,
        degraded_reason=response.degraded_reason,
    )


async def _preferred(router: ModelRouter, first: str, request: ModelRequest, route: Route) -> tuple[str, ...]:
    """The preferred model, and behind it everybody else in the order of the route."""
    ranked, _ = await router.select(router.search(request, route))
    return (first, *(each.candidate.label for each in ranked))
