from __future__ import annotations

from aos.telemetry.heartbeat import Heartbeat
from aos.testing import MemoryTableStore, SeededIds, VirtualClock


async def test_hosts_are_seen_while_they_beat_and_swept_when_they_are_gone() -> None:
    tables, clock = MemoryTableStore(), VirtualClock()
    first, second = Heartbeat(tables, clock, SeededIds(1)), Heartbeat(tables, clock, SeededIds(2))
    await first.beat()
    clock.advance(170)
    await second.beat()
    assert {host["instance"] for host in await first.hosts()} == {first.instance, second.instance}
    clock.advance(60)
    assert [host["instance"] for host in await first.hosts()] == [second.instance]
    assert await second.sweep() == 1
    assert second.uptime == 230
