"""Kinds of agent, and the LoRA adapter that a model speaking for each kind should use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aos.kernel.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from aos.agents.purpose_driven_agent import PurposeDrivenAgent

DEFAULT_PERSONAS: Mapping[str, str] = {
    name: f"{name}-adapter"
    for name in ("generic", "leadership", "marketing", "finance", "operations", "technology", "hr", "legal")
}


class PersonaRegistry:
    """Personas by name, each with its adapter."""

    def __init__(self, personas: Mapping[str, str] = DEFAULT_PERSONAS) -> None:
        self._adapters = dict(personas)

    def __iter__(self) -> Iterator[str]:
        return iter(self._adapters)

    def register(self, persona: str, adapter_name: str) -> None:
        """Add a persona. Raises `AlreadyExists`."""
        if persona in self._adapters:
            raise AlreadyExists(f"Persona {persona!r} is there already. Choose another name.")
        self._adapters[persona] = adapter_name

    def adapter(self, persona: str) -> str:
        """The adapter of a persona. Raises `NotFound`, naming the personas there are."""
        if persona not in self._adapters:
            raise NotFound(f"There is no persona {persona!r}. There are: {', '.join(self._adapters)}.")
        return self._adapters[persona]

    def adapters_of(self, agent: PurposeDrivenAgent[Any]) -> list[str]:
        """The adapters of an agent: its own where it names one, otherwise those of its personas.

        Raises:
            NotFound: one of its personas is not registered.
        """
        if agent.adapter_name:
            return [agent.adapter_name]
        return self.adapters(agent.get_agent_type())

    def adapters(self, personas: Iterable[str]) -> list[str]:
        """The adapters of several personas. Raises `NotFound`."""
        return [self.adapter(persona) for persona in personas]
