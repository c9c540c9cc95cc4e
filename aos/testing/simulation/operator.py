"""An operator of the simulated system: stops agents and lets them go on, and repeats orders it is not sure of."""

from __future__ import annotations

from collections.abc import Sequence

from aos.kernel.errors import InfrastructureError
from aos.kernel.head import Head
from aos.kernel.kernel import Kernel
from aos.kernel.message import format_time
from aos.kernel.standing import Standing, State
from aos.testing.clock import SeededIds
from aos.testing.simulation.ports import SimulatedBlobs, SimulatedBus, SimulatedTables
from aos.testing.simulation.process import SimulatedProcess
from aos.testing.simulation.scene import Scene
from aos.testing.simulation.workload import Actors


class Operator(SimulatedProcess):
    """A process that gives orders.

    Args:
        name: Its name in the trace.
        scene: What it shares with other processes.
        actors: The agent types.
        orders: To whom, and where it is to stand; in order.
        position: How many of them are in force for certain; one that takes over from a dead one begins there.
        seed: Of its ids.
    """

    def __init__(
        self,
        name: str,
        scene: Scene,
        actors: Actors,
        orders: Sequence[tuple[str, State]],
        position: int = 0,
        *,
        seed: int | str,
    ) -> None:
        super().__init__(name, scene)
        self._orders = orders
        self._kernel = Kernel(
            actors,
            tables=SimulatedTables(scene.tables, self),
            blobs=SimulatedBlobs(scene.blobs, self),
            bus=SimulatedBus(scene.bus, self),
            clock=scene.clock,
            ids=SeededIds(f"{seed}/{name}"),
        )
        self.position = position

    async def give_all(self) -> None:
        while self.position < len(self._orders):
            await self._clock.sleep(self._chance.uniform(0.0, 6.0))
            agent, state = self._orders[self.position]
            try:
                await self._give(agent, state)
            except InfrastructureError as error:
                self.scene.trace.note(self.name, f"is not sure of {agent} {state}: {error.code}")
                continue
            self.position += 1

    async def _give(self, agent: str, state: State) -> None:
        def decide(head: Head) -> Standing | None:
            # An order that was not seen to be carried out is given again: its take-up may not have been sent.
            if head.standing.state == state and not (state == "open" and head.aside.count):
                return None
            since = format_time(self._clock.now())
            return Standing(state=state, event=f"to {state}", reason="By chance.", by=self.name, since=since)

        head = await self._kernel.order(agent, decide)
        self.scene.trace.note(self.name, f"has {agent} {head.standing.state}")
