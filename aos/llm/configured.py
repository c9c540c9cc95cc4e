"""Remembers for a short time what is configured, so that a call does not ask the vault about every provider."""

from __future__ import annotations

from collections.abc import Sequence

from aos.kernel.ports import Clock
from aos.llm.candidates import Settings
from aos.llm.provider import ProviderProfile


class RememberedSettings:
    """Answers for `seconds` what `settings` answered first."""

    def __init__(self, settings: Settings, clock: Clock, seconds: float = 30.0) -> None:
        self._settings = settings
        self._clock = clock
        self._seconds = seconds
        self._missing: dict[str, tuple[float, Sequence[str]]] = {}
        self._models: dict[str, tuple[float, str | None]] = {}

    async def missing(self, profile: ProviderProfile) -> Sequence[str]:
        now = self._clock.monotonic()
        known = self._missing.get(profile.id)
        if known is None or now - known[0] > self._seconds:
            known = self._missing[profile.id] = (now, await self._settings.missing(profile))
        return known[1]

    async def default_model(self, profile: ProviderProfile) -> str | None:
        now = self._clock.monotonic()
        known = self._models.get(profile.id)
        if known is None or now - known[0] > self._seconds:
            known = self._models[profile.id] = (now, await self._settings.default_model(profile))
        return known[1]

    def forget(self) -> None:
        """Ask afresh from now on."""
        self._missing.clear()
        self._models.clear()
