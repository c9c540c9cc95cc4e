"""What every pump can do, so that a link to a bus can run it and a host can stop it."""

from __future__ import annotations

from typing import Protocol

from aos.local.host.source import Source


class Pump(Protocol):
    """Moves messages of one entity to one function. Outlives the connections it works with."""

    @property
    def function_name(self) -> str: ...

    async def run(self, source: Source) -> None:
        """Receive until cancelled. What is being processed then goes on.

        Raises:
            BusUnavailable: the connection is gone.
            AosError: the bus refuses, as when the entity does not exist.
        """
        ...

    async def finish(self, grace: float) -> None:
        """Take nothing new; wait `grace` seconds for what runs, abandon the rest, give everything back."""
        ...
