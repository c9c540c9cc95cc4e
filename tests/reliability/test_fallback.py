"""Falling back and recovering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aos.reliability.breaker import CircuitBreaker
from aos.reliability.fallback import Fallback, FallbackConfig, FallbackStrategy
from aos.reliability.recovery import Means, Recovery, RecoveryConfig, RecoveryFailed
from aos.reliability.timeouts import TIMEOUTS, bounded


class Pauses:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def failing(times: int, then: Any = "good") -> Callable[..., Awaitable[Any]]:
    left = [times]

    async def way(task: Any = None) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise ConnectionError("lost")
        return then

    return way


async def test_the_first_way_is_retried_with_doubling_pauses() -> None:
    pauses = Pauses()
    fallback = Fallback([failing(2), failing(0, "other")], sleep=pauses)
    found = await fallback.handle("task")
    assert (found.success, found.result, found.attempts) == (True, "good", 3)
    assert pauses.taken == [1.0, 2.0]
    assert fallback.get_stats() == {"0": {"attempts": 3, "failures": 2}, "1": {"attempts": 0, "failures": 0}}


async def test_then_the_others_with_flat_pauses() -> None:
    pauses = Pauses()
    fallback = Fallback(primary=failing(9), fallbacks=[failing(1, "other")], sleep=pauses)
    found = await fallback.handle("task")
    assert (found.result, found.attempts) == ("other", 5)
    assert pauses.taken == [1.0, 2.0, 1.0]


async def test_when_all_fail_it_says_so() -> None:
    found = await Fallback([failing(9), failing(9)], sleep=Pauses()).handle("task")
    assert (found.success, found.error, found.result) == (
        False,
        "FALLBACK_EXHAUSTED",
        "All retries and alternates failed",
    )
    assert found.failures == ("ConnectionError: lost",) * 5


@pytest.mark.parametrize(("strategy", "attempts"), [("alternate", 2), ("abort", 1)])
async def test_alternate_and_abort(strategy: str, attempts: int) -> None:
    config = FallbackConfig(max_alternate_attempts=1)
    found = await Fallback([failing(9), failing(9)], config=config, sleep=Pauses()).handle(
        "task", FallbackStrategy(strategy)
    )
    assert found.attempts == attempts


async def test_a_stand_in_is_marked_and_no_success() -> None:
    async def less(task: Any) -> str:
        return f"less of {task}"

    found = await Fallback([failing(9)], stand_in=less, sleep=Pauses()).handle("it", FallbackStrategy.DEGRADE)
    assert (found.success, found.degraded, found.result) == (False, True, "less of it")


def test_there_must_be_a_way() -> None:
    with pytest.raises(ValueError, match="at least one way"):
        Fallback([])


def acting(result: Any) -> Callable[[], Awaitable[Any]]:
    async def act() -> Any:
        return result

    return act


async def test_what_works_is_left_alone() -> None:
    found = await Recovery().run("database", failing(0))
    assert (found.result, found.means, found.degraded) == ("good", None, False)


async def test_a_database_is_retried_then_replaced() -> None:
    pauses = Pauses()
    recovery = Recovery({Means.FALLBACK: acting("from the copy")}, sleep=pauses)
    assert (await recovery.run("database", failing(2))).means is Means.RETRY
    assert pauses.taken == [1.0, 2.0]
    assert (await recovery.run("database", failing(99))).result == "from the copy"


async def test_an_outside_service_degrades_visibly() -> None:
    recovery = Recovery({Means.GRACEFUL_DEGRADATION: acting("less")}, sleep=Pauses())
    found = await recovery.run("external_api", failing(99))
    assert (found.result, found.degraded) == ("less", True)


async def test_a_restart_is_followed_by_another_try() -> None:
    recovery = Recovery({Means.RESTART_SERVICE: acting(None)}, sleep=Pauses())
    found = await recovery.run("memory", failing(1))
    assert (found.result, found.means) == ("good", Means.RESTART_SERVICE)


async def test_when_no_means_helps_all_reasons_are_told_and_a_person_is_called_for() -> None:
    recovery = Recovery(config=RecoveryConfig(manual_threshold=2), sleep=Pauses())
    for _ in range(2):
        with pytest.raises(RecoveryFailed, match=r"retry: ConnectionError: lost"):
            await recovery.run("auth", failing(99))
    assert recovery.needs_attention("auth")
    await recovery.run("auth", failing(0))
    assert not recovery.needs_attention("auth")


async def test_an_open_breaker_keeps_the_work_from_being_tried() -> None:
    tried = 0

    async def work() -> None:
        nonlocal tried
        tried += 1
        raise ConnectionError("lost")

    recovery = Recovery(breakers={"database": CircuitBreaker(2, name="database")}, sleep=Pauses())
    with pytest.raises(RecoveryFailed):
        await recovery.run("database", work)
    assert tried == 2


def test_timeouts_by_kind() -> None:
    assert (TIMEOUTS["agent"], TIMEOUTS["task"], TIMEOUTS["external_api"]) == (300, 600, 60)
    assert (bounded(0), bounded(5), bounded(900)) == (0.1, 5, 300)
