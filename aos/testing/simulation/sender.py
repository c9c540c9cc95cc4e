"""A sender outside of the system: it posts its messages in order, and posts again what it is not sure of."""

from __future__ import annotations

from collections.abc import Sequence

from aos.kernel.errors import BusUnavailable
from aos.kernel.mailbox import Mailbox
from aos.kernel.message import Message
from aos.kernel.settings import KernelSettings
from aos.testing.simulation.ports import SimulatedBus
from aos.testing.simulation.process import SimulatedProcess
from aos.testing.simulation.scene import Scene


class Sender(SimulatedProcess):
    """A process that posts messages.

    Args:
        name: Its name in the trace.
        scene: What it shares with other processes.
        letters: What it posts, in order.
        position: How many of them are posted for certain; one that takes over from a dead one begins there.
        pace: Seconds between two of them, at the most.
    """

    def __init__(
        self, name: str, scene: Scene, letters: Sequence[Message], position: int = 0, *, pace: float = 4.0
    ) -> None:
        super().__init__(name, scene)
        self._letters = letters
        self._mailbox = Mailbox(SimulatedBus(scene.bus, self), KernelSettings())
        self._pace = pace
        self.position = position

    async def post_all(self) -> None:
        while self.position < len(self._letters):
            await self._clock.sleep(self._chance.uniform(0.0, self._pace))
            try:
                await self._mailbox.post(self._letters[self.position])
            except BusUnavailable:
                continue
            self.position += 1
