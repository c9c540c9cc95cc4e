"""The world outside of an agent under test: what it is asked is on record, and a process may die at each call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from aos.testing.faults import Action, Faults

_step: ContextVar[str | None] = ContextVar("aos_testing_step", default=None)


@contextmanager
def within_step(name: str) -> Iterator[None]:
    """Calls made in the block belong to this step of a turn."""
    token = _step.set(name)
    try:
        yield
    finally:
        _step.reset(token)


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that happened outside.

    Attributes:
        name: What was called.
        details: With what.
        key: The idempotency key that came with it.
        step: The step of the turn it was called in; None outside of steps.
    """

    name: str
    details: Mapping[str, Any]
    key: str | None = None
    step: str | None = None

    @property
    def protected(self) -> bool:
        """Whether the author provided against its happening twice."""
        return self.step is not None or self.key is not None


@dataclass(slots=True)
class Ledger:
    """Everything that happened outside, in order, however many processes asked for it."""

    effects: list[Effect] = field(default_factory=list)
    _answered: dict[tuple[str, str], Any] = field(default_factory=dict)

    def count(self) -> Counter[str]:
        """How often each thing happened."""
        return Counter(effect.name for effect in self.effects)

    def enter(self, effect: Effect, answer: Any) -> Any:
        """Let it happen, unless its key says that it has; the answer, or the one given then."""
        if effect.key is None:
            self.effects.append(effect)
            return answer
        if (effect.name, effect.key) not in self._answered:
            self.effects.append(effect)
            self._answered[effect.name, effect.key] = answer
        return self._answered[effect.name, effect.key]


class ExternalCalls:
    """What an agent under test is given in place of its clients for other systems; one for each process.

    Args:
        ledger: Where effects go.
        faults: Says where the process dies.
        answers: What calls return, by name: a value, or a function of the call's details.
    """

    def __init__(self, ledger: Ledger, faults: Faults, answers: Mapping[str, Any]) -> None:
        self._ledger = ledger
        self._faults = faults
        self._answers = answers

    async def call(self, name: str, *, key: str | None = None, **details: Any) -> Any:
        """Do something that has an effect: charge a card, send a mail.

        Args:
            name: What is done.
            key: An idempotency key, if the other system takes one: the same key again has no further effect.
            **details: With what.

        Returns:
            What the scenario has it answer; None where it says nothing.
        """
        effect = Effect(name, details, key, _step.get())
        return self._do(name, lambda: self._ledger.enter(effect, self._answer(name, details)))

    async def look(self, name: str, **details: Any) -> Any:
        """Ask something that has no effect, however often."""
        return self._do(name, lambda: self._answer(name, details))

    def _answer(self, name: str, details: Mapping[str, Any]) -> Any:
        answer = self._answers.get(name)
        return answer(**details) if callable(answer) else answer

    def _do(self, name: str, work: Callable[[], Any]) -> Any:
        operation = f"call {name}"
        fault = self._faults.next(operation)
        if fault is not None and fault.action is Action.CRASH:
            raise self._faults.crash(f"before {operation}")
        answer = work()
        if fault is not None:
            raise self._faults.crash(f"after {operation}")
        return answer
