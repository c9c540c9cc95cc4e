"""Runs timer functions when they are due: one run of a timer at a time, missed ones made up for once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.functions import meta

from aos.local.host.function import Function, TimerTrigger
from aos.local.host.invoke import Invoker
from aos.local.host.ncrontab import Schedule
from aos.local.host.settings import read_json

# The wall clock may jump (a laptop that slept): look at it again this often at least.
_LONGEST_SLEEP = 30.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Time:
    """The time, and waiting for it: the world's, or a test's."""

    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class LastRuns:
    """When each timer ran last, kept in a file so that a restarted host knows what it missed."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._runs: dict[str, datetime] = {}
        if file is not None and file.exists():
            self._runs = {name: datetime.fromisoformat(moment) for name, moment in read_json(file).items()}

    def get(self, name: str) -> datetime | None:
        return self._runs.get(name)

    async def put(self, name: str, moment: datetime) -> None:
        self._runs[name] = moment
        if self._file is not None:
            text = json.dumps({known: run.isoformat() for known, run in self._runs.items()}, indent=1)
            await asyncio.to_thread(_replace, self._file, text)


class TimerRunner:
    """Drives one timer function.

    Args:
        function: A function with a `TimerTrigger`.
        trigger: That trigger.
        invoker: Runs it.
        last_runs: What is remembered of earlier runs.
        time: The clock.

    Raises:
        SettingInvalid: the schedule cannot be used.
    """

    def __init__(
        self, function: Function, trigger: TimerTrigger, invoker: Invoker, last_runs: LastRuns, time: Time
    ) -> None:
        self.function = function
        self.schedule = Schedule(trigger.schedule, f"Function {function.name!r}")
        self._trigger = trigger
        self._invoker = invoker
        self._last_runs = last_runs
        self._time = time
        self._one_at_a_time = asyncio.Lock()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Wait and run, until stopped. A run that fails is logged; the next comes when it is due."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"timer {self.function.name}")

    async def stop(self, grace: float) -> None:
        """Start no more runs; one under way has `grace` seconds to end."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace), self._one_at_a_time:
                pass
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        if self._missed_one():
            await self.fire(past_due=True)
        elif self._trigger.run_on_startup:
            await self.fire()
        while not self._stopping:
            due = self.schedule.after(self._time.now())
            late = await self._until(due)
            await self.fire(past_due=late > timedelta(seconds=1))

    async def fire(self, *, past_due: bool = False) -> bool:
        """Run it now, or when the run under way has ended. Whether it succeeded."""
        async with self._one_at_a_time:
            started = self._time.now()
            try:
                await self._invoker.run(self.function, self._request(started, past_due=past_due))
            except Exception:  # noqa: BLE001  # the invoker has logged it; a timer outlives its failures
                return False
            finally:
                await self._last_runs.put(self.function.name, started)
            return True

    async def _until(self, due: datetime) -> timedelta:
        """Sleep until it is due; how late it is then."""
        while (left := (due - self._time.now()).total_seconds()) > 0:
            await self._time.sleep(min(left, _LONGEST_SLEEP))
        return self._time.now() - due

    def _missed_one(self) -> bool:
        last = self._last_runs.get(self.function.name)
        if last is None or not self._trigger.monitored:
            return False
        return self.schedule.after(last) < self._time.now()

    def _request(self, now: datetime, *, past_due: bool) -> Any:
        last = self._last_runs.get(self.function.name)
        status = {
            "Last": last.isoformat() if last else None,
            "Next": self.schedule.after(now).isoformat(),
            "LastUpdated": last.isoformat() if last else None,
        }
        facts = {"IsPastDue": past_due, "ScheduleStatus": status, "Schedule": {"AdjustForDST": False}}
        converter = meta.get_binding_registry().get("timerTrigger")  # type: ignore[no-untyped-call]
        return converter.decode(meta.Datum(json.dumps(facts), "json"), trigger_metadata={})


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
