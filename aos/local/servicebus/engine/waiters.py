"""Callbacks that wait their turn: first come, first called, each at most once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiter:
    """One waiting callback. `cancel` is idempotent; after it the callback is never called."""

    __slots__ = ("_forget",)

    def __init__(self, forget: Callable[[Waiter], None] | None = None) -> None:
        self._forget = forget

    @property
    def waiting(self) -> bool:
        return self._forget is not None

    def leave(self) -> None:
        """Its turn has come: there is nothing to cancel any more."""
        self._forget = None

    def cancel(self) -> None:
        forget, self._forget = self._forget, None
        if forget is not None:
            forget(self)


class Waiters(Generic[T]):
    """A line of callbacks that are each given a `T`."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        self._line: OrderedDict[Waiter, Callable[[T], None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._line)

    def add(self, callback: Callable[[T], None]) -> Waiter:
        waiter = Waiter(self._line.pop)  # type: ignore[arg-type]  # what `pop` returns is not looked at
        self._line[waiter] = callback
        return waiter

    def take(self) -> Callable[[T], None]:
        """The callback at the head of the line, which leaves it."""
        waiter, callback = self._line.popitem(last=False)
        waiter.leave()
        return callback

    def wake(self, offer: Callable[[], T | None]) -> None:
        """Call those in line, each with what `offer` gives, until it gives None.

        Only those that wait now: one that comes back to the line empty-handed is not called again at once.
        `offer` must not call out.
        """
        for _ in range(len(self._line)):
            if not self._line:
                return
            given = offer()
            if given is None:
                return
            self.take()(given)
