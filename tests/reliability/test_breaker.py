from __future__ import annotations

import asyncio
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.azure.identity import storage_connection
from aos.azure.tables import AzureTableStore
from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.errors import StoreUnavailable
from aos.kernel.ports import Entity, Insert
from aos.reliability.breaker import BreakerPolicy, BreakerState, CircuitBreaker
from aos.reliability.breaker_record import BreakerRecord
from aos.reliability.errors import CircuitBreakerOpenError
from aos.reliability.shared_breakers import SharedBreakers
from aos.testing.clock import SeededIds, VirtualClock
from aos.testing.tables import MemoryTableStore


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def state_of(breaker: CircuitBreaker) -> BreakerState:
    """The state, which changes between two looks at it in ways a type checker does not expect."""
    return breaker.state


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.admit().failed()


def test_five_failures_in_a_minute_open_it(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock, name="mail")
    fail(breaker, 4)
    assert state_of(breaker) is BreakerState.CLOSED
    fail(breaker, 1)
    assert state_of(breaker) is BreakerState.OPEN
    with pytest.raises(CircuitBreakerOpenError, match="mail failed 5 times within 60 s") as caught:
        breaker.admit()
    assert caught.value.retry_after == pytest.approx(60)


def test_failures_further_apart_do_not(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock)
    for _ in range(12):
        fail(breaker, 1)
        clock.advance(16)
    assert state_of(breaker) is BreakerState.CLOSED


def test_a_success_forgives(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock)
    fail(breaker, 4)
    breaker.admit().succeeded()
    fail(breaker, 4)
    assert state_of(breaker) is BreakerState.CLOSED


def test_half_open_lets_one_probe_through_and_two_successes_close_it(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock)
    fail(breaker, 5)
    clock.advance(60)
    assert state_of(breaker) is BreakerState.HALF_OPEN
    probe = breaker.admit()
    with pytest.raises(CircuitBreakerOpenError, match="probed"):
        breaker.admit()
    probe.succeeded()
    assert state_of(breaker) is BreakerState.HALF_OPEN
    breaker.admit().succeeded()
    assert state_of(breaker) is BreakerState.CLOSED
    assert breaker.stats()["failure_count"] == 0


def test_a_failed_probe_opens_it_again(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock)
    fail(breaker, 5)
    clock.advance(60)
    breaker.admit().failed()
    assert state_of(breaker) is BreakerState.OPEN
    clock.advance(59)
    assert state_of(breaker) is BreakerState.OPEN


def test_a_probe_that_never_returns_does_not_block_for_ever(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock, policy=BreakerPolicy(probe_seconds=30))
    fail(breaker, 5)
    clock.advance(60)
    breaker.admit()
    clock.advance(31)
    breaker.admit().succeeded()


def test_what_began_before_it_opened_says_nothing_about_now(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock, policy=BreakerPolicy(success_threshold=1))
    early = breaker.admit()
    fail(breaker, 5)
    early.succeeded()
    assert state_of(breaker) is BreakerState.OPEN


def test_a_released_permit_counts_for_nothing(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(1, clock=clock)
    permit = breaker.admit()
    permit.released()
    permit.failed()
    assert state_of(breaker) is BreakerState.CLOSED


def test_a_pause_is_not_held_against_the_service(clock: VirtualClock) -> None:
    breaker = CircuitBreaker(clock=clock)
    breaker.pause(10, "has reached its limit")
    with pytest.raises(CircuitBreakerOpenError, match="has reached its limit"):
        breaker.admit()
    clock.advance(10)
    assert not breaker.admit().is_probe


async def test_as_a_block_and_as_a_call() -> None:
    breaker = CircuitBreaker(failure_threshold=2, timeout=60, expected_exception=ValueError)

    async def broken() -> None:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            async with breaker:
                await broken()
    with pytest.raises(CircuitBreakerOpenError):
        async with breaker:
            pytest.fail("must not run")

    async def instead() -> str:
        return "instead"

    assert await breaker.call(broken, fallback=instead) == "instead"


async def test_only_expected_exceptions_count() -> None:
    breaker = CircuitBreaker(1, 60, ValueError)
    with pytest.raises(KeyError):
        async with breaker:
            raise KeyError("other")
    with pytest.raises(asyncio.CancelledError):
        async with breaker:
            raise asyncio.CancelledError
    assert state_of(breaker) is BreakerState.CLOSED


def pair(clock: VirtualClock, tables: MemoryTableStore) -> tuple[SharedBreakers, SharedBreakers]:
    return SharedBreakers(clock, SeededIds("one"), tables), SharedBreakers(clock, SeededIds("two"), tables)


async def test_instances_learn_of_an_open_breaker_within_a_second(clock: VirtualClock) -> None:
    one, two = pair(clock, MemoryTableStore())
    await two.admit("p")
    fail(one.get("p"), 5)
    await one.publish()
    clock.advance(1)
    with pytest.raises(CircuitBreakerOpenError):
        await two.admit("p")


async def test_failures_of_all_instances_count_together(clock: VirtualClock) -> None:
    one, two = pair(clock, MemoryTableStore())
    for breakers, times in ((one, 3), (two, 2)):
        await breakers.refresh()
        fail(breakers.get("p"), times)
        await breakers.publish()
        clock.advance(1)
    await one.refresh()
    await two.refresh()
    assert {one.get("p").state, two.get("p").state} == {BreakerState.OPEN}


async def test_all_instances_together_make_one_probe(clock: VirtualClock) -> None:
    one, two = pair(clock, MemoryTableStore())
    fail(one.get("p"), 5)
    await one.publish()
    clock.advance(1)
    await two.refresh()
    clock.advance(60)
    outcomes = await asyncio.gather(one.admit("p"), two.admit("p"), return_exceptions=True)
    assert sum(isinstance(outcome, CircuitBreakerOpenError) for outcome in outcomes) == 1


def blind_pair(clock: VirtualClock, tables: MemoryTableStore) -> tuple[SharedBreakers, SharedBreakers]:
    """Two that read the table once and then only find out by colliding."""
    one = SharedBreakers(clock, SeededIds("one"), tables, refresh_seconds=1e6)
    return one, SharedBreakers(clock, SeededIds("two"), tables, refresh_seconds=1e6)


async def test_writers_that_collide_add_up_what_they_know(clock: VirtualClock) -> None:
    one, two = blind_pair(clock, MemoryTableStore())
    for breakers, times in ((one, 3), (two, 2)):
        await breakers.refresh()
        fail(breakers.get("p"), times)
    await one.publish()
    await two.publish()
    assert two.get("p").state is BreakerState.OPEN


async def test_a_probe_that_another_claimed_first_is_not_made(clock: VirtualClock) -> None:
    one, two = blind_pair(clock, MemoryTableStore())
    fail(one.get("p"), 5)
    await one.publish()
    await two.refresh()
    clock.advance(61)
    probe = await one.admit("p")
    with pytest.raises(CircuitBreakerOpenError, match="by another instance"):
        await two.admit("p")
    probe.succeeded()
    await one.publish()
    await two.refresh(now=True)
    (await two.admit("p")).succeeded()
    assert two.get("p").state is BreakerState.CLOSED


async def test_a_record_of_another_version_is_started_afresh(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    tables = MemoryTableStore()
    await tables.commit("breakers", [Insert(Entity("default", "p", {"record": '{"format": 9}'}))])
    breakers = SharedBreakers(clock, SeededIds(), tables)
    (await breakers.admit("p")).failed()
    await breakers.publish()
    assert "cannot be read" in caplog.text
    entity = await tables.get("breakers", "default", "p")
    assert entity is not None
    assert BreakerRecord.loads(str(entity.values["record"])).failures


async def test_a_closed_breaker_is_told_too(clock: VirtualClock) -> None:
    one, two = pair(clock, MemoryTableStore())
    fail(one.get("p"), 5)
    await one.publish()
    clock.advance(61)
    await two.refresh()
    for _ in range(2):
        (await two.admit("p")).succeeded()
        await two.publish()
        clock.advance(1)
    await one.refresh()
    assert one.get("p").state is BreakerState.CLOSED


async def test_a_pause_is_shared_and_can_be_taken_back(clock: VirtualClock) -> None:
    one, two = pair(clock, MemoryTableStore())
    one.get("p").pause(600, "has reached its limit")
    await one.publish()
    clock.advance(1)
    with pytest.raises(CircuitBreakerOpenError):
        await two.admit("p")
    two.get("p").reset()
    await two.publish()
    clock.advance(1)
    await one.refresh()
    assert one.get("p").paused == 0


async def test_reads_and_writes_are_bounded_in_rate(clock: VirtualClock) -> None:
    class Counting(MemoryTableStore):
        reads = writes = 0

        async def scan(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            self.reads += 1
            return await super().scan(*args, **kwargs)

        async def commit(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            self.writes += 1
            return await super().commit(*args, **kwargs)

    tables = Counting()
    breakers = SharedBreakers(clock, SeededIds("one"), tables, policy=BreakerPolicy(failure_threshold=1_000))
    for _ in range(100):
        (await breakers.admit("p")).failed()
        await breakers.publish()
        clock.advance(0.1)
    assert tables.reads <= 11
    assert tables.writes <= 11


async def test_without_storage_each_instance_goes_by_what_it_saw(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Down(MemoryTableStore):
        async def scan(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            raise StoreUnavailable("The table service is out of reach.")

    for breakers in (SharedBreakers(clock, SeededIds()), SharedBreakers(clock, SeededIds(), Down())):
        for _ in range(5):
            (await breakers.admit("p")).failed()
            await breakers.publish()
        with pytest.raises(CircuitBreakerOpenError):
            await breakers.admit("p")
    assert "not shared for 30 s" in caplog.text


TRIP = """
import asyncio, sys
from aos.azure.identity import storage_connection
from aos.azure.tables import AzureTableStore
from aos.kernel.ambient import RandomIds, SystemClock
from aos.reliability.shared_breakers import SharedBreakers

async def main():
    tables = AzureTableStore(storage_connection({}, sys.argv[1]))
    breakers = SharedBreakers(SystemClock(), RandomIds(), tables, table="breakerrace")
    for _ in range(int(sys.argv[2])):
        (await breakers.admit("p")).failed()
    await breakers.publish()
    await tables.close()

asyncio.run(main())
"""


async def test_two_processes_open_a_breaker_together(azurite: str) -> None:
    async def process(failures: int) -> None:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", TRIP, azurite, str(failures))
        assert await child.wait() == 0

    await asyncio.gather(process(3), process(2))
    tables = AzureTableStore(storage_connection({}, azurite))
    here = SharedBreakers(SystemClock(), RandomIds(), tables, table="breakerrace")
    with pytest.raises(CircuitBreakerOpenError):
        await here.admit("p")
    await tables.close()


moments = st.floats(0, 1e6)
records = st.builds(
    BreakerRecord,
    tripped=st.booleans(),
    changed_at=moments,
    open_until=moments,
    successes=st.integers(0, 3),
    failures=st.lists(st.tuples(moments, st.text("ab", min_size=1, max_size=3)), max_size=4).map(
        lambda found: tuple(sorted(found))
    ),
    cleared_at=moments,
    paused_until=moments,
    paused_at=moments,
    probe_until=moments,
    probe_at=moments,
)


@given(records, records)
def test_merging_does_not_depend_on_the_order(one: BreakerRecord, two: BreakerRecord) -> None:
    assert one.merged(two) == two.merged(one)
    assert one.merged(two).merged(two) == one.merged(two)
    assert BreakerRecord.loads(one.dumps()) == one
