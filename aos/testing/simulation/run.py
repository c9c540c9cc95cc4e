"""One run: a seed and a workload in, what went wrong with the promises out."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aos.kernel.deadletter import DeadLetter
from aos.kernel.head import ROW
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import TableStore
from aos.kernel.rows import PREFIX
from aos.kernel.standing import State
from aos.testing.clock import SeededIds, VirtualClock
from aos.testing.simulation.instance import Instance
from aos.testing.simulation.loop import VirtualTimeLoop
from aos.testing.simulation.operator import Operator
from aos.testing.simulation.promises import (
    dead_letters_accounted_for,
    nothing_doubled,
    nothing_lost,
    order_kept,
    rows_left_over,
)
from aos.testing.simulation.scene import Scene
from aos.testing.simulation.sender import Sender
from aos.testing.simulation.trouble import Trouble
from aos.testing.simulation.workload import Actors, Ending, Workload

_PATIENCE = 12 * 3600.0
_AFTERMATH = 200.0
"""Longer than any instance stands still."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one run.

    Attributes:
        workload, seed: Which run.
        problems: What is not as promised; empty when all is.
        digest: Of everything that happened, in order.
        troubles: Faults that were injected.
        checked: How many things each check looked at.
        windows: What happened that no promise covers, such as a payment made again after a crash.
        turns, messages: What the agents did.
        seconds: On the virtual clock.
        trace: The last things that happened.
    """

    workload: str
    seed: int
    problems: tuple[str, ...]
    digest: str
    troubles: Counter[Trouble]
    checked: Counter[str]
    windows: Counter[str]
    turns: int
    messages: int
    seconds: float
    trace: tuple[str, ...] = field(repr=False, default=())

    @property
    def command(self) -> str:
        """What to type to see it again."""
        return f"python -m aos.testing.simulation --workload {self.workload} --seed {self.seed}"


def simulate(
    workload: type[Workload],
    seed: int,
    *,
    alter: Callable[[Kernel], object] | None = None,
    guise: Callable[[TableStore], TableStore] | None = None,
) -> Report:
    """Run a workload. The same seed gives the same run.

    Args:
        workload: What the agents do.
        seed: Of all that is random.
        alter: Changes each instance's kernel: how a test breaks it on purpose.
        guise: Puts something before the tables of all instances, likewise.
    """
    clock = VirtualClock()
    with _silence(), asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        return runner.run(_Run(workload, seed, clock, alter, guise).run())


class _Run:
    def __init__(
        self,
        workload: type[Workload],
        seed: int,
        clock: VirtualClock,
        alter: Callable[[Kernel], object] | None,
        guise: Callable[[TableStore], TableStore] | None,
    ) -> None:
        chance = random.Random(f"{workload.name}/{seed}")  # noqa: S311 - repeatable by purpose, guards nothing
        self._seed = seed
        self._chance = chance
        self._clock = clock
        self._alter = alter
        self._workload = workload(chance)
        self._actors = Actors(self._workload.actors())
        self._lines = self._workload.letters()
        self._orders = self._workload.orders()
        self._scene = Scene(
            chance,
            clock,
            without=self._workload.without,
            max_deliveries=self._workload.deliveries,
            guise=guise,
        )
        self._living: dict[str, Instance | Sender | Operator] = {}
        self._checked: Counter[str] = Counter()
        self._kernel = Kernel(
            self._actors,
            tables=self._scene.tables,
            blobs=self._scene.blobs,
            bus=self._scene.bus,
            clock=clock,
            ids=SeededIds(f"{seed}/observer"),
        )

    async def run(self) -> Report:
        senders = [asyncio.ensure_future(self._keep_sender(n, line)) for n, line in enumerate(self._lines)]
        instances = [asyncio.ensure_future(self._keep_instance(n)) for n in range(self._chance.randint(2, 3))]
        operators = [asyncio.ensure_future(self._keep_operator(n, line)) for n, line in enumerate(self._orders)]
        await asyncio.gather(*senders, *operators)
        await self._clock.sleep(self._chance.uniform(5, 90))
        self._scene.troubles.calm = True
        quiet = await self._quiet()
        resubmitted = await self._resubmit() if quiet else frozenset()
        quiet = quiet and await self._quiet()
        for task in instances:
            task.cancel()
        for process in self._living.values():
            await process.stop()
        ending = await self._ending(resubmitted)
        if quiet:
            await self._check(ending)
        return self._report(ending)

    async def _keep_sender(self, number: int, line: Sequence[Message]) -> None:
        name, position, lives = f"sender{number}", 0, 0
        while True:
            sender = self._living[name] = Sender(
                f"{name}.{lives}", self._scene, line, position, pace=self._workload.pace
            )
            await sender.start(sender.post_all)
            if sender.alive:
                return
            # It kept no exact record of how far it was.
            position, lives = max(0, sender.position - self._chance.randint(0, 2)), lives + 1
            await self._clock.sleep(self._chance.uniform(0.5, 10))

    async def _keep_operator(self, number: int, orders: Sequence[tuple[str, State]]) -> None:
        name, position, lives = f"operator{number}", 0, 0
        while True:
            operator = self._living[name] = Operator(
                f"{name}.{lives}", self._scene, self._actors, orders, position, seed=self._seed
            )
            await operator.start(operator.give_all)
            if operator.alive:
                return
            position, lives = operator.position, lives + 1
            await self._clock.sleep(self._chance.uniform(0.5, 10))

    async def _keep_instance(self, number: int) -> None:
        name, lives = f"instance{number}", 0
        while True:
            instance = self._living[name] = Instance(
                f"{name}.{lives}", self._scene, self._actors, seed=self._seed, alter=self._alter
            )
            instance.open(2)
            await instance.gone.wait()
            lives += 1
            await self._clock.sleep(self._chance.uniform(0.5, 20))

    async def _quiet(self) -> bool:
        """Wait until nothing is on its way and nobody is paused; False if that does not come about."""
        end = self._clock.monotonic() + _PATIENCE
        calm_since: float | None = None
        while self._clock.monotonic() < end:
            await self._clock.sleep(10)
            if not self._scene.idle:
                calm_since = None
            elif calm_since is None:
                calm_since = self._clock.monotonic()
            elif self._clock.monotonic() - calm_since > _AFTERMATH:
                return True
        self._scene.problem(f"still at work after {_PATIENCE / 3600:.0f} hours without faults")
        return False

    async def _resubmit(self) -> frozenset[str]:
        """What the bus gave up is sent again, as an operator would."""
        letters = [letter for letter in await self._letters() if letter.error["code"] == "delivery_failed"]
        for letter in letters:
            await self._kernel.resubmit(letter.id)
        return frozenset(letter.id for letter in letters)

    async def _letters(self) -> list[DeadLetter]:
        found, cursor = await self._kernel.dead_letters.page(limit=1_000)
        while cursor is not None:
            more, cursor = await self._kernel.dead_letters.page(limit=1_000, cursor=cursor)
            found += more
        return found

    async def _ending(self, resubmitted: frozenset[str]) -> Ending:
        agents = sorted({entity.partition for entity in self._scene.stored.entities("agents") if entity.row == ROW})
        heads = {agent: await self._kernel.heads.read(agent) for agent in agents}
        return Ending(
            states={agent: json.loads(head.state) for agent, head in heads.items() if head is not None},
            journals={agent: await self._kernel.journal.entries(agent, limit=100_000) for agent in agents},
            letters=await self._letters(),
            resubmitted=resubmitted,
            waiting=[agent for agent, head in heads.items() if head is not None and head.pending],
            holding=[agent for agent, head in heads.items() if head and (head.waiting.count or head.aside.count)],
            rows=await self._rows(),
        )

    async def _rows(self) -> dict[str, dict[str, Any]]:
        """What agents keep beside their states."""
        found: dict[str, dict[str, Any]] = {}
        for entity in self._scene.stored.entities("agents"):
            if entity.row.startswith(PREFIX):
                key = entity.row.removeprefix(PREFIX)
                value = await self._kernel.rows.get(entity.partition, key)
                found.setdefault(entity.partition, {})[key] = json.loads(value or b"null")
        return found

    async def _check(self, ending: Ending) -> None:
        posted = [message for line in self._lines for message in line]
        messages = sum(len(entry.received) for entries in ending.journals.values() for entry in entries)
        self._look("nothing doubled", nothing_doubled(ending), messages)
        self._look("nothing lost", nothing_lost(ending, posted), messages)
        self._look(
            "dead letters accounted for", dead_letters_accounted_for(ending, self._workload), len(ending.letters)
        )
        if self._workload.ordered:
            self._look("order kept", order_kept(ending, posted), messages)
        for agent in ending.journals:
            verification = await self._kernel.journal.verify(agent, await self._kernel.heads.read(agent))
            found = [f"{agent}: {verification.problem}"] if verification.problem else []
            self._look("journals chain and replay to the heads", found, 1)
        rows = self._scene.stored.entities("agents")
        self._look("no rows left over", rows_left_over(ending, rows, self._workload.windows), len(rows))
        for what in self._workload.checks:
            self._checked[what] += 1
        for problem in self._workload.check(ending):
            self._scene.problem(problem)

    def _look(self, name: str, problems: Iterable[str], size: int) -> None:
        self._checked[name] += size
        for problem in problems:
            self._scene.problem(problem)

    def _report(self, ending: Ending) -> Report:
        scene = self._scene
        happened = tuple(scene.trace.latest)
        for entity in [*scene.stored.entities("agents"), *scene.stored.entities("deadletters")]:
            scene.trace.note(entity.partition, f"{entity.row} {sorted(entity.values.items())}")
        entries = [entry for journal in ending.journals.values() for entry in journal]
        return Report(
            workload=self._workload.name,
            seed=self._seed,
            problems=tuple(scene.problems),
            digest=scene.trace.digest(),
            troubles=scene.troubles.counted,
            checked=self._checked,
            windows=self._workload.windows,
            turns=len(entries),
            messages=sum(len(entry.received) for entry in entries),
            seconds=self._clock.monotonic(),
            trace=happened,
        )


@contextmanager
def _silence() -> Iterator[None]:
    """Faults are what a simulation is about: the kernel's warnings of them are no news."""
    logger = logging.getLogger("aos")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
