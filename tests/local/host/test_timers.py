from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from aos.kernel.errors import SettingInvalid
from aos.local.host.function import Function, TimerTrigger
from aos.local.host.invoke import Invoker
from aos.local.host.ncrontab import Schedule
from aos.local.host.timers import LastRuns, Time, TimerRunner
from tests.local.host.conftest import StartHost, next_seen

START = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


class FakeTime:
    """A clock that jumps to the end of every sleep, as far as it is let."""

    def __init__(self, until: datetime) -> None:
        self.moment = START
        self.until = until
        self.arrived = asyncio.Event()

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        if self.moment + timedelta(seconds=seconds) > self.until:
            self.arrived.set()
            await asyncio.Event().wait()
        self.moment += timedelta(seconds=seconds)


async def _runs(
    tmp_path: Path, schedule: str, minutes: float, *, takes: float = 0, startup: bool = False, fail: bool = False
) -> list[tuple[float, bool]]:
    """When the timer ran, in seconds from the start, and whether past due."""
    time = FakeTime(START + timedelta(minutes=minutes))
    runs: list[tuple[float, bool]] = []

    async def tick(timer: Any) -> None:
        runs.append(((time.now() - START).total_seconds(), timer.past_due))
        await time.sleep(takes)
        if fail:
            raise ValueError("no")

    async def send(*_: Any) -> None: ...

    trigger = TimerTrigger("timer", schedule, startup, monitored=True)
    function = Function("tick", tick, is_async=True, wants_context=False, trigger=trigger, outputs=())
    invoker = Invoker(tmp_path, None, send)
    runner = TimerRunner(function, trigger, invoker, LastRuns(tmp_path / "timers.json"), Time(time.now, time.sleep))
    runner.start()
    await time.arrived.wait()
    await runner.stop(grace=0)
    invoker.close()
    return runs


async def test_it_runs_when_due(tmp_path: Path) -> None:
    assert await _runs(tmp_path, "15 */2 * * * *", 5) == [(105, False), (225, False)]


async def test_it_runs_at_the_start_where_asked(tmp_path: Path) -> None:
    assert await _runs(tmp_path, "0 * * * * *", 1, startup=True) == [(0, False), (30, False)]


async def test_runs_do_not_overlap_and_what_was_missed_meanwhile_is_left_out(tmp_path: Path) -> None:
    assert await _runs(tmp_path, "*/10 * * * * *", 1.2, takes=25) == [(10, False), (40, False), (70, False)]


async def test_a_failed_run_does_not_end_the_timer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        assert len(await _runs(tmp_path, "0 * * * * *", 3, fail=True)) == 3


async def test_a_run_missed_while_the_host_was_down_is_made_up_for_once(tmp_path: Path) -> None:
    await LastRuns(tmp_path / "timers.json").put("tick", START - timedelta(hours=1))
    assert await _runs(tmp_path, "0 * * * * *", 1) == [(0, True), (30, False)]


async def test_days_must_match_both_fields() -> None:
    friday_the_13th = Schedule("0 0 0 13 * fri", "it").after(START)
    assert friday_the_13th == datetime(2026, 2, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("00:05:00", r"TimeSpan.*0 \*/5"),
        ("* * *", "3 fields"),
        ("61 * * * * *", "61"),
        ("0 0 0 30 2 *", "never comes"),
        ("0 0 0 L * *", "day cannot be 'L'"),
        ("often", "1 fields"),
    ],
)
def test_a_bad_schedule_is_refused_with_its_function(expression: str, words: str) -> None:
    with pytest.raises(SettingInvalid, match=f"Function 'f'.*{words}"):
        Schedule(expression, "Function 'f'")


async def test_a_timer_runs_by_hand_for_the_master_key_only(start_host: StartHost) -> None:
    async with start_host() as host, httpx.AsyncClient(base_url=host.base_url) as http:
        await next_seen("tick")
        refused = await http.post("/admin/functions/tick")
        unknown = await http.post("/admin/functions/hello", headers={"x-functions-key": "the-master-key"})
        ran = await http.post("/admin/functions/tick", headers={"x-functions-key": "the-master-key"})
        assert await next_seen("tick") == ("tick", False)
    assert (refused.status_code, unknown.status_code, ran.status_code) == (401, 404, 202)
