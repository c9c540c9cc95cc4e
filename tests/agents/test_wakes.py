"""Agents woken by the clock, as their wake plans say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from aos.agents import Agent, Turn, Wake, on
from aos.agents.alarm import AlarmClock
from aos.agents.due import following, out_of_quiet, scheduled, to_send
from aos.kernel.errors import NotFound
from tests.harness import MemorySystem


class Heard(BaseModel):
    wakes: list[Any] = []
    at: list[str] = []


class Sleeper(Agent[Heard]):
    type = "sleeper"
    wakes: tuple[Wake, ...] = (
        Wake(name="quarter", every=timedelta(minutes=15)),
        Wake(name="noon", cron="0 12 * * *", message="lunch.begins", data={"dish": "soup"}),
    )

    @on("agent.wake")
    async def wake(self, turn: Turn, state: Heard, data: dict[str, Any]) -> None:
        state.wakes.append(data)
        state.at.append(turn.now.strftime("%H:%M:%S"))

    @on("lunch.begins")
    async def lunch(self, turn: Turn, state: Heard, data: dict[str, Any]) -> None:
        state.wakes.append(data)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def minutes(world: MemorySystem, count: int) -> None:
    """What the timer does, minute after minute."""
    for _ in range(count):
        await world.system.alarm.ring()
        await world.settle(until=timedelta(minutes=1))


async def test_each_wake_comes_once_at_its_moment_with_what_it_holds() -> None:
    world = MemorySystem(Sleeper())
    world.clock.advance(11 * 3600 + 40 * 60 + 30)
    await minutes(world, 40)
    state = await world.state("sleeper")
    assert state["at"] == ["11:45:00", "12:00:00", "12:15:00"]
    assert {"dish": "soup"} in state["wakes"]
    assert state["wakes"][0] == {"wake": "quarter", "due": "2026-01-01T11:45:00Z", "stands_for": 1}
    assert len(state["wakes"]) == 4


async def test_two_hosts_wake_an_agent_once() -> None:
    world = MemorySystem(Sleeper())
    other = AlarmClock(
        world.registry, world.tables, world.system.kernel.mailbox, world.clock, world.system.kernel.heads
    )
    for _ in range(32):
        await asyncio.gather(world.system.alarm.ring(), other.ring())
        await world.settle(until=timedelta(minutes=1))
    assert (await world.state("sleeper"))["at"] == ["00:15:00", "00:30:00"]


async def test_a_wake_that_was_posted_but_not_noted_does_not_come_twice() -> None:
    world = MemorySystem(Sleeper())
    await minutes(world, 14)
    before = await world.system.alarm._rows()
    await world.system.alarm.ring()
    for row, entity in (await world.system.alarm._rows()).items():
        from aos.kernel.ports import Upsert

        assert entity.etag is not None
        await world.tables.commit("wakes", [Upsert(before[row])])
    await minutes(world, 3)
    assert (await world.state("sleeper"))["at"] == ["00:15:00"]


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [("latest", [("03:00", 12)]), ("all", [("00:15", 1), ("03:00", 1)]), ("skip", [])],
)
async def test_what_an_outage_missed_is_caught_up_as_declared(catch_up: Any, expected: list[tuple[str, int]]) -> None:
    class Late(Sleeper):
        type = "late"
        wakes = (Wake(name="quarter", every=timedelta(minutes=15), catch_up=catch_up),)

    world = MemorySystem(Late())
    await world.system.alarm.ring()
    world.clock.advance(3 * 3600 + 5 * 60)
    assert await world.system.alarm.ring() == (12 if catch_up == "all" else len(expected))
    await world.settle(until=timedelta(minutes=1))
    heard = [] if not expected else (await world.state("late"))["wakes"]
    ends = heard[:1] + heard[-1:] if len(heard) > 1 else heard
    assert [(data["due"][11:16], data["stands_for"]) for data in ends] == expected


async def test_a_one_shot_comes_once_even_when_nobody_looked_at_its_time_and_again_when_it_is_moved() -> None:
    class Launch(Sleeper):
        type = "launch"
        wakes = (Wake(name="launch", at=moment("2026-01-01T00:10")),)

    world = MemorySystem(Launch())
    world.clock.advance(3600)
    await minutes(world, 3)
    assert [data["due"] for data in (await world.state("launch"))["wakes"]] == ["2026-01-01T00:10:00Z"]
    Launch.wakes = (Wake(name="launch", at=moment("2026-01-01T02:00")),)
    await minutes(world, 60)
    assert (await world.state("launch"))["at"][1:] == ["02:00:00"]


async def test_an_agent_without_wakes_costs_nothing_and_forgotten_wakes_are_swept_out() -> None:
    world = MemorySystem(Sleeper())
    await world.system.alarm.ring()
    world.registry.unregister("sleeper")
    assert await world.system.alarm.ring() == 0
    assert (await world.system.run_maintenance())["wakes"] == 2
    assert await world.system.alarm.sweep() == 0


async def test_the_plan_shows_everything_that_wakes_an_agent() -> None:
    world = MemorySystem(Sleeper())
    await minutes(world, 16)
    lines = await world.system.alarm.plan("sleeper")
    assert [(line["kind"], line["on"]) for line in lines] == [
        ("message", "agent.wake"),
        ("message", "lunch.begins"),
        ("interval", "0:15:00"),
        ("cron", "0 0 12 * * *"),
    ]
    assert (lines[2]["next"], lines[2]["last"]) == ("2026-01-01T00:30:00Z", "2026-01-01T00:15:00Z")
    assert {line["kind"] for line in await world.system.alarm.plan("sleeper:other")} == {"message"}
    with pytest.raises(NotFound, match="nobody"):
        await world.system.alarm.plan("nobody")


def test_hours_of_a_zone_follow_its_changes_of_clocks() -> None:
    night = Wake(name="night", cron="30 2 * * *", zone="Europe/Zurich")
    autumn = scheduled(night, moment("2026-10-23T12:00"), moment("2026-10-26T12:00"))
    assert autumn == [moment("2026-10-24T00:30"), moment("2026-10-25T00:30"), moment("2026-10-26T01:30")]
    spring = scheduled(night, moment("2026-03-28T12:00"), moment("2026-03-30T12:00"))
    assert spring == [moment("2026-03-29T01:00"), moment("2026-03-30T00:30")]
    often = Wake(name="often", cron="*/30 * * * *", zone="Europe/Zurich")
    assert len(scheduled(often, moment("2026-10-25T00:00"), moment("2026-10-25T03:00"))) == 6
    assert following(night, moment("2026-10-25T00:30")) == moment("2026-10-26T01:30")


def test_a_moment_without_an_offset_is_one_of_the_zone_and_is_over_once_it_has_passed() -> None:
    launch = Wake(name="launch", at=datetime(2026, 7, 1, 9), zone="Europe/Zurich")  # noqa: DTZ001
    assert following(launch, moment("2026-07-01T06:59")) == moment("2026-07-01T07:00")
    assert following(launch, moment("2026-07-01T07:00")) is None


def test_quiet_hours_put_wakes_off_to_their_end_as_one_message() -> None:
    wake = Wake(name="poll", every="1h", quiet="22:00-07:00", zone="Europe/Zurich")
    now = moment("2026-01-10T20:30")
    [morning, later] = to_send(wake, now, moment("2026-01-11T07:30"), now, None)
    assert (morning.due, morning.stands_for) == (moment("2026-01-11T06:00"), 10)
    assert (later.due, later.stands_for) == (moment("2026-01-11T07:00"), 1)
    assert following(wake, moment("2026-01-10T22:30")) == moment("2026-01-11T06:00")
    assert out_of_quiet(wake, moment("2026-01-10T12:00")) == moment("2026-01-10T12:00")


async def test_quiet_hours_hold_over_the_clock() -> None:
    class Polite(Sleeper):
        type = "polite"
        wakes = (Wake(name="poll", every=timedelta(minutes=5), quiet=("00:10-00:40",)),)

    world = MemorySystem(Polite())
    await minutes(world, 52)
    state = await world.state("polite")
    assert state["at"] == ["00:05:00", "00:40:00", "00:45:00", "00:50:00"]


def test_wakes_keep_their_distance() -> None:
    wake = Wake(name="poll", every="1h", spacing="90m")
    now = moment("2026-01-01T00:30")
    dues = to_send(wake, now, moment("2026-01-01T06:30"), now, moment("2026-01-01T00:00"))
    assert [due.due.hour for due in dues] == [2, 4, 6]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cron": "x * * * *"}, "is not a schedule"),
        ({"cron": "* * *"}, "it has 3 fields"),
        ({"cron": "0 0 30 2 *"}, "is not a schedule"),
        ({"every": "1h", "at": "2026-01-01T00:00"}, "exactly one of"),
        ({}, "exactly one of"),
        ({"every": "0s"}, "greater than or equal"),
        ({"every": "1h", "zone": "Moon/Base"}, "no time zone 'Moon/Base'"),
        ({"every": "1h", "quiet": "25:00-07:00"}, "not a span of hours"),
        ({"every": "1h", "quiet": "07:00-07:00"}, "not a span of hours"),
    ],
)
def test_a_wake_that_cannot_be_is_refused_with_the_reason(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Wake(name="x", **fields)
