from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from aos.azure.bus_probe import BusProbe
from aos.azure.identity import ServiceBusConnection
from aos.kernel.errors import BusUnavailable, NotFound
from aos.local.servicebus.engine import Fault, FaultKind
from tests.local.servicebus.broker_thread import BrokerThread

Probes = Callable[..., BusProbe]


@pytest.fixture
async def probes(broker: BrokerThread) -> AsyncIterator[Probes]:
    made: list[BusProbe] = []

    def make(queue: str, connection_string: str = broker.connection_string) -> BusProbe:
        made.append(BusProbe(ServiceBusConnection.of(connection_string), queue))
        return made[-1]

    yield make
    for probe in made:
        await probe.close()


async def test_a_bus_that_answers(probes: Probes, broker: BrokerThread) -> None:
    probe = probes(broker.queue())
    await asyncio.gather(probe.look(), probe.look())


async def test_a_queue_that_is_not_there(probes: Probes) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await probes("nowhere").look()


async def test_a_bus_that_is_away(probes: Probes) -> None:
    text = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=eA==;UseDevelopmentEmulator=true;"
    with pytest.raises(BusUnavailable):
        await probes("any", text).look()


async def test_a_bus_that_comes_back_is_seen_again(probes: Probes, broker: BrokerThread) -> None:
    queue = broker.queue()
    probe = probes(queue)
    broker.bus.faults.add(Fault(kind=FaultKind.REFUSE, entity=queue, operation="peek"))
    with pytest.raises(BusUnavailable):
        await probe.look()
    await probe.look()
