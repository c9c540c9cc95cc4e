"""A router over a transport that plays a script, on a clock that moves only when somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aos.kernel.ports import TableStore
from aos.llm import errors as e
from aos.llm.provider import Capabilities, Limits, ModelProfile, ProviderProfile
from aos.llm.request import EmbeddingRequest, ModelRequest, TextPart
from aos.llm.response import Delta, EmbeddingResponse, ModelResponse, RateLimits, StreamEnd, TextDelta, Usage
from aos.llm.router import ModelRouter
from aos.llm.router_settings import RouterSettings
from aos.llm.transport import CallTimes
from aos.testing.clock import SeededIds, VirtualClock

CHAT = Capabilities(chat=True, streaming=True, tools=True, vision=True, json_schema=True, embeddings=False)


def profile(id: str, *models: ModelProfile | str, **fields: Any) -> ProviderProfile:
    listed = tuple(ModelProfile(id=m) if isinstance(m, str) else m for m in models) or (ModelProfile(id=f"{id}-1"),)
    values = {"capabilities": CHAT, "base_url": f"http://{id}.invalid", "tier": 1, "default_model": listed[0].id}
    return ProviderProfile.model_validate({"id": id, "models": listed, **values, **fields})


def said(text: str = "fine", *, usage: Usage | None = None, rate_limits: RateLimits | None = None) -> ModelResponse:
    return ModelResponse(
        parts=(TextPart(text=text),),
        finish_reason="stop",
        usage=usage or Usage(input_tokens=1_000, output_tokens=500),
        provider="",
        model="",
        rate_limits=rate_limits,
    )


@dataclass
class Broken:
    """A stream that gives some words and then fails."""

    words: Sequence[str]
    error: e.ModelError


@dataclass
class Seen:
    provider: str
    model: str
    request: Any
    times: CallTimes
    at: float


Play = ModelResponse | e.ModelError | Broken | Callable[[], Any]


@dataclass
class Script:
    """Plays each provider's list in order, then good answers."""

    clock: VirtualClock
    plays: dict[str, list[Play]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    vectors: dict[str, tuple[float, ...]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    closed: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def asked(self) -> list[str]:
        return [each.provider for each in self.seen]

    async def _next(self, profile: ProviderProfile, model: str, request: Any, times: CallTimes) -> Play:
        self.seen.append(Seen(profile.id, model, request, times, self.clock.monotonic()))
        self.begun.set()
        if profile.id in self.seconds:
            self.clock.advance(self.seconds[profile.id])
        await asyncio.sleep(0)
        plays = self.plays.get(profile.id)
        play = plays.pop(0) if plays else said(f"{profile.id} says")
        if callable(play):
            play = await play()
        if isinstance(play, e.ModelError):
            play.provider, play.model = profile.id, model
            raise play
        return play

    async def complete(
        self, profile: ProviderProfile, model: str, request: ModelRequest, *, times: CallTimes
    ) -> ModelResponse:
        play = await self._next(profile, model, request, times)
        assert isinstance(play, ModelResponse)
        return play.model_copy(update={"provider": profile.id, "model": model})

    async def stream(
        self, profile: ProviderProfile, model: str, request: ModelRequest, *, times: CallTimes
    ) -> AsyncGenerator[Delta, None]:
        try:
            play = await self._next(profile, model, request, times)
            if isinstance(play, Broken):
                for word in play.words:
                    yield TextDelta(word)
                raise play.error
            assert isinstance(play, ModelResponse)
            for word in play.text.split(" "):
                yield TextDelta(word)
            yield StreamEnd(play.model_copy(update={"provider": profile.id, "model": model}))
        finally:
            self.closed += 1

    async def embed(
        self, profile: ProviderProfile, model: str, request: EmbeddingRequest, *, times: CallTimes
    ) -> EmbeddingResponse:
        await self._next(profile, model, request, times)
        return EmbeddingResponse(
            vectors=tuple(self.vectors.get(text, (1.0, 0.0)) for text in request.inputs),
            usage=Usage(input_tokens=10),
            provider=profile.id,
            model=model,
        )

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class Configured:
    """What is set, by provider; all is by default."""

    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    async def missing(self, profile: ProviderProfile) -> Sequence[str]:
        return self.absent.get(profile.id, ())

    async def default_model(self, profile: ProviderProfile) -> str | None:
        return profile.default_model


@dataclass
class Stage:
    router: ModelRouter
    script: Script
    clock: VirtualClock


def stage(
    *profiles: ProviderProfile,
    clock: VirtualClock | None = None,
    tables: TableStore | None = None,
    seed: str = "router",
    absent: Mapping[str, tuple[str, ...]] | None = None,
    script: Script | None = None,
    settings: RouterSettings | None = None,
    **plays: list[Play],
) -> Stage:
    """A router with these providers, `a`, `b` and `c` by default."""
    time = clock or VirtualClock()
    chosen = profiles or tuple(profile(name, priority=place) for place, name in enumerate("abc"))
    played = script or Script(time, plays)

    async def sleep(seconds: float) -> None:
        time.advance(seconds)
        await asyncio.sleep(0)

    router = ModelRouter(
        played,
        {each.id: each for each in chosen},
        Configured(absent or {}),
        settings,
        tables=tables,
        clock=time,
        ids=SeededIds(seed),
        sleep=sleep,
    )
    return Stage(router, played, time)


def small(id: str, window: int, *, output: int | None = None) -> ModelProfile:
    return ModelProfile(id=id, limits=Limits(context_window=window, max_output_tokens=output))
