"""Bulkheads, rate limits, retries, shedding, idempotency and single flight."""

from __future__ import annotations

import asyncio

import pytest

from aos.kernel.errors import PermissionDenied, RetryableError, Throttled
from aos.reliability.bulkhead import Bulkhead
from aos.reliability.errors import (
    BackpressureError,
    BulkheadFullError,
    LoadSheddingError,
    PoisonMessage,
    RateLimitError,
)
from aos.reliability.idempotency import Idempotency, WorkInProgress, idempotency_key, request_key
from aos.reliability.load_shedding import Backpressure, Load, LoadShedder, QueueLimits
from aos.reliability.rate_limiter import RateLimiter, SharedRateLimiter
from aos.reliability.retry import FailureClass, Retry, RetryConfig, classify
from aos.reliability.single_flight import SingleFlight
from aos.testing.blobs import MemoryBlobStore
from aos.testing.clock import VirtualClock
from aos.testing.tables import MemoryTableStore


async def test_a_bulkhead_lets_so_many_in_and_the_next_in_order() -> None:
    bulkhead, came = Bulkhead(1, 2), []

    async def enter(name: str) -> None:
        async with bulkhead.slot():
            came.append(name)
            await asyncio.sleep(0)

    await bulkhead.acquire()
    waiting = [asyncio.create_task(enter(name)) for name in ("first", "second")]
    await asyncio.sleep(0)
    with pytest.raises(BulkheadFullError, match="2 are waiting"):
        await bulkhead.acquire()
    bulkhead.release()
    await asyncio.gather(*waiting)
    assert came == ["first", "second"]
    assert bulkhead.active == 0


async def test_who_gives_up_waiting_loses_no_place() -> None:
    bulkhead = Bulkhead(1, 5)
    await bulkhead.acquire()
    with pytest.raises(BulkheadFullError):
        await bulkhead.acquire(0)
    quitter = asyncio.create_task(bulkhead.acquire())
    await asyncio.sleep(0)
    bulkhead.release()
    quitter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    assert bulkhead.try_acquire()


def test_a_rate_limit_slides() -> None:
    clock = VirtualClock()
    limiter = RateLimiter(3, 60, clock=clock)
    limiter.acquire(2)
    clock.advance(30)
    limiter.acquire()
    with pytest.raises(RateLimitError) as caught:
        limiter.acquire()
    assert caught.value.retry_after == pytest.approx(30)
    clock.advance(30)
    assert limiter.remaining == 2


def test_units_given_back_are_free_again() -> None:
    clock = VirtualClock()
    limiter = RateLimiter(1_000, 60, clock=clock)
    limiter.acquire(900)
    limiter.give_back(800)
    assert limiter.remaining == 900
    clock.advance(61)
    assert limiter.remaining == 1_000


async def test_a_shared_rate_limit_holds_among_instances() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    limiters = [SharedRateLimiter(tables, clock, 10, 60, sleep=clock.sleep) for _ in range(2)]
    granted = 0
    for limiter in limiters * 10:
        try:
            await limiter.acquire("key-1")
        except RateLimitError:
            continue
        granted += 1
    assert granted == 10
    clock.advance(6)
    assert await limiters[0].acquire("key-1") == 0


async def test_retries_double_their_pause_and_stop() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def broken() -> None:
        raise ConnectionError("lost")

    retry = Retry(RetryConfig(jitter=0), sleep=sleep)
    with pytest.raises(ConnectionError):
        await retry.run(broken)
    assert pauses == [0.1, 0.2]
    with pytest.raises(PoisonMessage) as caught:
        await retry.run(broken, message_id="m-1", payload={"x": 1})
    assert caught.value.message_id == "m-1"
    assert caught.value.attempts == 3
    assert caught.value.failure_class == "transient"
    assert caught.value.original_payload == {"x": 1}
    assert caught.value.details["last_error"] == "lost"
    assert caught.value.details["quarantined_at"]


@pytest.mark.parametrize(
    ("error", "expected", "tries"),
    [
        (ConnectionError("x"), FailureClass.TRANSIENT, 3),
        (Throttled("x"), FailureClass.RATE_LIMIT, 3),
        (ValueError("x"), FailureClass.VALIDATION, 1),
        (PermissionDenied("x"), FailureClass.PERMANENT, 1),
        (KeyError("x"), FailureClass.UNKNOWN, 3),
        (type("SchemaMismatch", (Exception,), {})(), FailureClass.VALIDATION, 1),
    ],
)
async def test_the_class_of_a_failure_decides_how_often(error: Exception, expected: FailureClass, tries: int) -> None:
    made = 0

    async def broken() -> None:
        nonlocal made
        made += 1
        raise error

    async def at_once(_: float) -> None:
        return None

    assert classify(error) is expected
    with pytest.raises(type(error)):
        await Retry(sleep=at_once).run(broken)
    assert made == tries


def test_the_three_kinds_of_back_off() -> None:
    for kind, expected in (("exponential", [1, 2, 4]), ("linear", [1, 2, 3]), ("constant", [1, 1, 1])):
        config = RetryConfig(base_delay_ms=1_000, backoff=kind)  # type: ignore[arg-type]
        assert [config.delay(n, 0) for n in (1, 2, 3)] == expected
    assert RetryConfig(base_delay_ms=1_000).delay(1, 0.999) == pytest.approx(1.25, abs=0.001)
    assert RetryConfig().delay(5_000, 0) == 60


def test_a_queue_that_fills_up() -> None:
    pressure = Backpressure(QueueLimits(max_queue=100))
    assert pressure.admit(10) is Load.NORMAL
    assert pressure.admit(80) is Load.WARNING
    with pytest.raises(LoadSheddingError):
        pressure.admit(95)
    assert pressure.admit(95, critical=True) is Load.CRITICAL
    with pytest.raises(BackpressureError):
        pressure.admit(100, critical=True)


def test_important_work_may_exceed_the_load_by_a_fifth() -> None:
    shedder = LoadShedder(10)
    shedder.admit(11, priority=5)
    with pytest.raises(LoadSheddingError):
        shedder.admit(10, priority=4)
    with pytest.raises(LoadSheddingError):
        shedder.admit(12, priority=9)


async def test_work_for_a_key_is_done_once() -> None:
    clock = VirtualClock()
    idempotency = Idempotency(MemoryTableStore(), MemoryBlobStore(clock), clock)
    done = 0

    async def work() -> dict[str, int]:
        nonlocal done
        done += 1
        return {"done": done}

    key = idempotency_key("m-1", "order-7")
    assert len(key) == 64
    assert await idempotency.run(key, work) == {"done": 1}
    assert await idempotency.run(key, work) == {"done": 1}
    clock.advance(86_401)
    assert await idempotency.run(key, work) == {"done": 2}


async def test_work_that_failed_may_be_done_again_and_work_under_way_may_not() -> None:
    clock = VirtualClock()
    idempotency = Idempotency(MemoryTableStore(), MemoryBlobStore(clock), clock)

    async def nested() -> str:
        with pytest.raises(WorkInProgress):
            await idempotency.run("k", nested)
        return "done"

    async def broken() -> str:
        raise RetryableError("later")

    with pytest.raises(RetryableError):
        await idempotency.run("k", broken)
    assert await idempotency.run("k", nested) == "done"


def test_equal_requests_have_equal_keys() -> None:
    assert request_key({"a": 1, "b": [2]}) == request_key({"b": [2], "a": 1})
    assert request_key({"a": 1}) != request_key({"a": 2})


async def test_single_flight_shares_and_survives_a_passenger_who_leaves() -> None:
    flights: SingleFlight[str] = SingleFlight()
    gate, runs = asyncio.Event(), 0

    async def work() -> str:
        nonlocal runs
        runs += 1
        await gate.wait()
        return "here"

    first = asyncio.create_task(flights.run("k", work))
    await asyncio.sleep(0)
    second = asyncio.create_task(flights.run("k", work))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == ("here", True)
    assert runs == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_when_the_last_passenger_leaves_the_work_stops() -> None:
    flights: SingleFlight[str] = SingleFlight()
    stopped = asyncio.Event()

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    only = asyncio.create_task(flights.run("k", work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert stopped.is_set()
    assert (await flights.run("k", _quick))[1] is False


async def _quick() -> str:
    return "quick"
