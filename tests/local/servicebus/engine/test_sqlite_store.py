from __future__ import annotations

import asyncio
import math
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from aos.local.servicebus.engine import (
    Bus,
    CorrelationFilter,
    EntityNotFound,
    EntityStatus,
    FalseFilter,
    Message,
    QueueDescription,
    RuleDescription,
    SqlAction,
    SqlFilter,
    SqliteStore,
    StoreBroken,
    SubscriptionDescription,
    TopicDescription,
)
from tests.local.servicebus.engine.virtual import START, VirtualClock, bodies, drain, make_queue, one, send

HOUR = timedelta(hours=1)
Opener = Callable[[], Any]


@pytest.fixture
def reopen(tmp_path: Path, clock: VirtualClock) -> Opener:
    """Opens the same file as often as a test likes, one after the other."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bus]:
        bus = await Bus.open(SqliteStore(tmp_path / "deep" / "bus.db"), clock=clock)
        yield bus
        await bus.close()

    return opened


async def test_everything_accepted_comes_back(reopen: Opener) -> None:
    sent = Message(
        b"body",
        wire=b"wire",
        message_id="id",
        correlation_id="c",
        subject="s",
        to="t",
        reply_to="r",
        reply_to_session_id="rs",
        content_type="ct",
        partition_key="p",
        time_to_live=timedelta(days=1),
        application_properties={
            "text": "ü",
            "whole": 2**62,
            "fraction": 0.1,
            "infinite": math.inf,
            "true": True,
            "none": None,
            "bytes": b"\0\xff",
            "when": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
            "long": timedelta(seconds=1.5),
            "uuid": UUID(int=7),
            "decimal": Decimal("1.10"),
        },
    )
    async with reopen() as bus:
        make_queue(bus).send([sent])
        await bus.flush()
    async with reopen() as bus:
        found = one(bus.source("orders")).message
        assert {name: getattr(found, name) for name in Message.__slots__ if name != "locked"} == {
            name: getattr(sent, name) if name != "ready" else False for name in Message.__slots__ if name != "locked"
        }


async def test_states_and_counts_come_back_and_locks_do_not(reopen: Opener, clock: VirtualClock) -> None:
    async with reopen() as bus:
        queue = make_queue(bus, max_delivery_count=3)
        send(queue, "done", "deferred", "failed", "locked", "dead")
        done, deferred, failed, _, dead = queue.receive(5)
        queue.complete(done.lock_token)
        queue.defer(deferred.lock_token, {"why": "later"})
        queue.abandon(failed.lock_token, {"tried": 1})
        queue.dead_letter(dead.lock_token, "bad", "very")
        queue.schedule([Message(b"later", scheduled_for=START + HOUR)])
        before = bus.statistics("orders")
    async with reopen() as bus:
        queue = bus.source("orders")
        after = bus.statistics("orders")
        assert (after.active, after.locked, after.deferred, after.scheduled, after.dead_letter) == (2, 0, 1, 1, 1)
        assert after.size_bytes == before.size_bytes
        (deferred,) = queue.receive_deferred([2])
        assert dict(deferred.message.application_properties) == {"why": "later"}
        failed, locked = queue.receive(9)
        assert bodies([failed, locked]) == ["failed", "locked"]
        assert (failed.delivery_count, locked.delivery_count) == (1, 0)
        assert failed.message.application_properties == {"tried": 1}
        grave = one(queue.dead_letters).message
        assert (grave.dead_letter_reason, grave.dead_letter_description) == ("bad", "very")
        clock.move(bus, hours=1)
        assert "later" in drain(queue)


async def test_sequence_numbers_go_on(reopen: Opener) -> None:
    async with reopen() as bus:
        queue = make_queue(bus)
        send(queue, "a", "b")
        drain(queue)
    async with reopen() as bus:
        queue = bus.source("orders")
        send(queue, "c")
        assert one(queue).message.sequence_number == 3


async def test_sessions_come_back_with_their_state(reopen: Opener) -> None:
    async with reopen() as bus:
        queue = make_queue(bus, requires_session=True)
        send(queue, "1", "2", session_id="a")
        receiver = queue.accept_session("a")
        receiver.set_state(b"half way")
        receiver.complete(one(receiver).lock_token)
        other = queue.accept_session("b")
        other.set_state(b"x")
        other.set_state(None)
    async with reopen() as bus:
        queue = bus.source("orders")
        receiver = queue.accept_next_session()
        assert receiver is not None
        assert (receiver.session_id, receiver.state(), drain(receiver)) == ("a", b"half way", ["2"])
        assert queue.session_state("b") is None


async def test_duplicates_are_still_known(reopen: Opener, clock: VirtualClock) -> None:
    async with reopen() as bus:
        queue = make_queue(bus, requires_duplicate_detection=True, duplicate_detection_window=HOUR)
        send(queue, "a", message_id="1")
        clock.move(bus, minutes=30)
        send(queue, "b", message_id="2")
        drain(queue)
    clock.now += timedelta(minutes=45)
    async with reopen() as bus:
        queue = bus.source("orders")
        send(queue, "a again", message_id="1")
        send(queue, "b again", message_id="2")
        assert drain(queue) == ["a again"]


async def test_what_fell_due_meanwhile_is_done(reopen: Opener, clock: VirtualClock) -> None:
    async with reopen() as bus:
        queue = make_queue(bus, dead_letter_on_expiration=True)
        send(queue, "short", time_to_live=HOUR)
        send(queue, "later", scheduled_for=START + HOUR)
    clock.now += 2 * HOUR
    async with reopen() as bus:
        queue = bus.source("orders")
        assert drain(queue) == ["later"]
        assert drain(queue.dead_letters) == ["short"]
    async with reopen() as bus:
        assert bus.statistics("orders").dead_letter == 0


async def test_entities_come_back_as_they_were(reopen: Opener) -> None:
    rules = (
        RuleDescription(name="c", filter=CorrelationFilter(subject="s", properties={"n": 1.5})),
        RuleDescription(
            name="s",
            filter=SqlFilter(expression="n = @n", parameters={"n": UUID(int=1)}),
            action=SqlAction(expression="SET a = 1"),
        ),
        RuleDescription(name="f", filter=FalseFilter()),
    )
    async with reopen() as bus:
        bus.create_queue(
            QueueDescription(
                name="Q", lock_duration=timedelta(seconds=1.5), status=EntityStatus.SEND_DISABLED, max_message_kb=5
            )
        )
        bus.create_topic(TopicDescription(name="T", default_time_to_live=HOUR))
        bus.create_subscription(SubscriptionDescription(topic="T", name="Ruled", rules=rules))
        bus.create_subscription(SubscriptionDescription(topic="T", name="Default"))
        bus.create_subscription(SubscriptionDescription(topic="T", name="Deaf"))
        bus.delete_rule("T", "Deaf", "$Default")
        before = (bus.queues(), bus.topics(), bus.subscriptions("t"))
    async with reopen() as bus:
        assert (bus.queues(), bus.topics(), bus.subscriptions("t")) == before
        assert bus.rules("t", "deaf") == []
        assert bus.source("t/subscriptions/ruled").path == "T/Subscriptions/Ruled"


async def test_topics_keep_what_is_scheduled(reopen: Opener, clock: VirtualClock) -> None:
    async with reopen() as bus:
        bus.create_topic(TopicDescription(name="T"))
        bus.create_subscription(SubscriptionDescription(topic="T", name="S"))
        bus.target("t").schedule([Message(b"later", scheduled_for=START + HOUR)])
        send(bus.target("t"), "now")
    clock.now += HOUR
    async with reopen() as bus:
        assert drain(bus.source("t/subscriptions/s")) == ["now", "later"]


async def test_deleting_takes_everything_along_and_nothing_else(reopen: Opener) -> None:
    async with reopen() as bus:
        for name in ("a", "a/b", "a_"):
            queue = make_queue(bus, name, requires_duplicate_detection=True)
            send(queue, "1", "dead", message_id=None)
            queue.dead_letter(one(queue).lock_token)
        bus.create_topic(TopicDescription(name="t"))
        bus.create_subscription(SubscriptionDescription(topic="t", name="s"))
        send(bus.target("t"), "x")
        bus.delete_queue("a")
        bus.delete_topic("t")
    async with reopen() as bus:
        assert [queue.name for queue in bus.queues()] == ["a/b", "a_"]
        for name in ("a/b", "a_"):
            assert (bus.statistics(name).active, bus.statistics(name).dead_letter) == (1, 1)
        queue = make_queue(bus, "a")
        assert (queue.receive(1), queue.dead_letters.receive(1)) == ([], [])
        with pytest.raises(EntityNotFound):
            bus.topic("t")


async def test_many_flushes_at_once_share_commits(reopen: Opener) -> None:
    async with reopen() as bus:
        queue = make_queue(bus)
        await bus.flush()

        async def produce(number: int) -> None:
            send(queue, str(number))
            await bus.flush()

        await asyncio.gather(*(produce(number) for number in range(500)))
    async with reopen() as bus:
        assert drain(bus.source("orders")) == [str(number) for number in range(500)]


async def test_a_cancelled_flush_does_not_disturb_the_others(reopen: Opener) -> None:
    async with reopen() as bus:
        send(make_queue(bus), "a")
        flushes = [asyncio.create_task(bus.flush()) for _ in range(3)]
        await asyncio.sleep(0)
        flushes[0].cancel()
        results = await asyncio.gather(*flushes, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [None, None]


async def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    bus = await Bus.open(SqliteStore(tmp_path / "bus.db"))
    second = SqliteStore(tmp_path / "bus.db")
    with pytest.raises(StoreBroken, match="another broker"):
        await Bus.open(second)
    await second.close()
    await bus.close()
    await (await Bus.open(SqliteStore(tmp_path / "bus.db"))).close()


async def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "bus.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreBroken, match="has format 99"):
        await Bus.open(SqliteStore(tmp_path / "bus.db"))


async def test_a_failed_write_is_told_to_everybody(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bus.db")
    bus = await Bus.open(store)
    queue = make_queue(bus)
    await bus.flush()
    send(queue, "safe")
    await bus.flush()
    other = Message(b"twin", message_id="x")
    other.sequence_number = 1
    store.put_message("orders", other)
    send(queue, "lost")
    first, second = await asyncio.gather(bus.flush(), bus.flush(), return_exceptions=True)
    assert isinstance(first, StoreBroken)
    assert isinstance(second, StoreBroken)
    send(queue, "lost too")
    with pytest.raises(StoreBroken, match="nothing more is accepted"):
        await bus.flush()
    with pytest.raises(StoreBroken):
        await bus.close()
    bus = await Bus.open(SqliteStore(tmp_path / "bus.db"))
    assert drain(bus.source("orders")) == ["safe"]
    await bus.close()


async def test_a_store_must_be_opened_first(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bus.db")
    with pytest.raises(StoreBroken, match=r"Bus\.open"):
        Bus(store=store).create_queue(QueueDescription(name="q"))
    await store.close()


BROKER = """
import asyncio, sys
from pathlib import Path
from aos.local.servicebus.engine import Bus, Message, QueueDescription, SqliteStore

async def main():
    bus = await Bus.open(SqliteStore(Path(sys.argv[1])))
    bus.create_queue(QueueDescription(name="q"))
    queue = bus.source("q")
    number = 0
    while True:
        queue.send([Message(str(number + n).encode()) for n in range(10)])
        number += 10
        done = queue.receive(5)
        for delivery in done:
            queue.complete(delivery.lock_token)
        await bus.flush()
        print(number, int(done[-1].message.body) + 1, flush=True)

asyncio.run(main())
"""


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BROKER, str(tmp_path / "bus.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(200)]
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate()
    lines += rest.splitlines(keepends=True)
    sent, completed = map(int, [line for line in lines if line.endswith("\n")][-1].split())
    numbers = asyncio.run(_bodies(tmp_path / "bus.db"))
    # One more round may have been committed and not printed.
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] in {completed, completed + 5}
    assert numbers[-1] + 1 in {sent, sent + 10}


async def _bodies(path: Path) -> list[int]:
    bus = await Bus.open(SqliteStore(path))
    found = [int(message.body) for message in bus.source("q").peek(0, 10**6)]
    await bus.close()
    return found
