"""Callbacks that wait their turn: first come, first called, each at most once."""

from __future__ import annotations


class Waiter:
    """One waiting callback. `cancel` is idempotent; after it the callback is never called."""

    def cancel(self) -> None:
        raise NotImplementedError
