"""What models cost: a dated catalogue, with the user's own prices over it. An unknown price is None, never zero."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from aos.llm.provider import ProviderProfile
from aos.llm.response import Cost, Usage

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)
_MILLION = 1_000_000
_SAME_PRICES = {"azure_openai_legacy": "azure_openai"}


class Price(BaseModel):
    """US dollars per million tokens of one model, from a day on.

    Attributes:
        provider: Id of the profile.
        model: As the provider names it.
        cached_input: For the part of a prompt the provider had in its cache; None is the price of `input`.
        since: First day the price holds.
    """

    model_config = _SHAPE

    provider: str
    model: str
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    since: date

    def cost(self, usage: Usage) -> Cost:
        """What the tokens cost. Tokens written to a provider's cache count as input."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        input_usd = ((usage.input_tokens - cached) * self.input + cached * cached_price) / _MILLION
        output_usd = usage.output_tokens * self.output / _MILLION
        return Cost(
            usd=input_usd + output_usd,
            input_usd=input_usd,
            output_usd=output_usd,
            price_date=self.since.isoformat(),
        )

    def estimate(self, input_tokens: int, output_tokens: int) -> float:
        """US dollars for so many tokens, none of them cached."""
        return (input_tokens * self.input + output_tokens * self.output) / _MILLION


class Prices:
    """Prices by provider and model.

    Args:
        own: Put over the shipped ones. Several of one model are told apart by their days.
    """

    def __init__(self, own: Iterable[Price] = ()) -> None:
        self._own: dict[tuple[str, str], list[Price]] = {}
        for price in sorted(own, key=lambda price: price.since, reverse=True):
            self._own.setdefault((price.provider, price.model), []).append(price)

    def of(self, profile: ProviderProfile, model: str, today: date) -> Price | None:
        """The price of a model on a day; None where nobody knows it.

        A model on the user's own machine costs nothing by the token.
        """
        listed = profile.model(model)
        for name in dict.fromkeys((model, listed.id, *listed.aliases)):
            for price in self._own.get((profile.id, name), ()):
                if price.since <= today:
                    return price
            if (shipped := _shipped().get((_SAME_PRICES.get(profile.id, profile.id), name))) is not None:
                return shipped
        if profile.local:
            return Price(provider=profile.id, model=model, input=0.0, output=0.0, since=today)
        return None


@cache
def _shipped() -> dict[tuple[str, str], Price]:
    document = json.loads(files("aos.llm").joinpath("prices.json").read_text(encoding="utf-8"))
    since = date.fromisoformat(document["as_of"])
    return {
        (provider, model): Price(
            provider=provider,
            model=model,
            input=row[0],
            output=row[1],
            cached_input=row[2] if len(row) > 2 else None,
            since=since,
        )
        for provider, models in document["prices"].items()
        for model, row in models.items()
    }
