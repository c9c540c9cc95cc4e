"""What holds of a lane whatever happens to it, tried with chance: numbers and rows agree, and no place stays empty."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from aos.workflows.scheduling.admission import URGENT
from aos.workflows.scheduling.work_record import WorkRecord, WorkStatus
from tests.harness import MemorySystem
from tests.workflows.scheduling.test_lanes import LANE, admit, drain, end, order, rows, world_of


async def works(world: MemorySystem) -> list[WorkRecord]:
    found = await world.system.kernel.rows.page(LANE, "w:", limit=1_000)
    return [WorkRecord.model_validate(value) for _, value in found]


async def check(world: MemorySystem, *, most: int, reserved: int) -> None:
    """Raise where the lane contradicts itself, or leaves a place empty that a work waits for."""
    state = await world.state(LANE)
    by_status: dict[WorkStatus, list[WorkRecord]] = defaultdict(list)
    for record in await works(world):
        by_status[record.status].append(record)
    running, in_line = (
        by_status[WorkStatus.RUNNING],
        [
            *by_status[WorkStatus.WAITING],
            *by_status[WorkStatus.SUSPENDED],
        ],
    )
    assert state["running"] == len(running) <= most
    assert state["urgent"] == sum(record.urgent for record in running)
    assert state["waiting"] == len(in_line)
    assert state["suspended"] == len(by_status[WorkStatus.SUSPENDED])
    assert state["behind"] == len(by_status[WorkStatus.BEHIND])
    expected = {
        *(record.key for records in by_status.values() for record in records),
        *(record.running_key for record in running),
        *(record.suspendable_key for record in running if record.may_be_suspended),
        *(key for record in in_line for key in (record.line_key, record.age_key)),
    }
    assert {key for key in await rows(world) if key[0] not in "ka"} == expected
    holders = [record.asked.affinity for record in [*running, *in_line] if record.asked.affinity]
    assert len(holders) == len(set(holders)), "two of one key at a time"
    assert all(record.asked.affinity in holders for record in by_status[WorkStatus.BEHIND])
    ordinary = len(running) - state["urgent"] < most - reserved
    if len(running) < most:
        assert not in_line or not (ordinary or any(record.priority >= URGENT for record in in_line))


@pytest.mark.parametrize("seed", range(6))
async def test_a_lane_keeps_its_promises(seed: int) -> None:
    order.clear()
    chance = random.Random(seed)
    most, reserved = chance.choice([(1, 0), (3, 1), (5, 2)])
    world = world_of(max_running=most, reserved=reserved, patience_seconds=chance.choice([0, 600]))
    asked: dict[str, dict[str, Any]] = {}
    gone: set[str] = set()
    for number in range(60):
        begun = [record for record in await works(world) if record.status is not WorkStatus.BEHIND]
        act = chance.random()
        if act < 0.6 or not begun:
            name = f"n{number}"
            asked[name] = {
                "priority": chance.randint(1, 10),
                "suspendable": chance.random() < 0.5,
                "affinity": chance.choice([None, None, "k1", "k2"]),
            }
            await admit(world, name, **asked[name])
        elif act < 0.85:
            name = chance.choice(begun).asked.work.partition(":")[2]
            gone.add(name)
            await end(world, name)
        elif act < 0.93:
            name = chance.choice(list(asked))
            before = {record.asked.work for record in await works(world)}
            await world.system.schedules.withdraw(f"job:{name}")
            await world.settle(until=timedelta())
            if before - {record.asked.work for record in await works(world)}:
                gone.add(name)
        else:
            world.clock.advance(chance.choice([1, 700]))
        await check(world, most=most, reserved=reserved)
    await drain(world)
    assert await rows(world) == []
    first = [name for place, name in enumerate(order) if name not in order[:place]]
    assert set(asked) - gone <= set(first), "all that stayed were begun"
    for key in ("k1", "k2"):
        mine = [name for name in first if asked[name]["affinity"] == key]
        assert mine == [name for name in asked if name in mine], "those of one key in the order they came"
