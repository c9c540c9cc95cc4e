"""A host over the fixture app, and a broker with the queues it uses, both in the test's own loop."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import httpx
import pytest

from aos.local.host.host import FunctionsHost, HostOptions
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from aos.local.servicebus.engine import (
    Bus,
    QueueDescription,
    SubscriptionDescription,
    TopicDescription,
    Topology,
)
from aos.local.servicebus.server.broker_server import BrokerServer

APP = Path(__file__).resolve().parents[2] / "fixtures" / "function_app"
NOWHERE = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=v;UseDevelopmentEmulator=true;"


def _topology() -> Topology:
    lock = timedelta(seconds=30)
    names = ("incoming", "outgoing", "batches")
    plain = [QueueDescription(name=name, lock_duration=lock, max_delivery_count=4) for name in names]
    sessions = QueueDescription(name="mailboxes", lock_duration=lock, max_delivery_count=4, requires_session=True)
    return Topology(
        queues=(*plain, sessions),
        topics=(TopicDescription(name="events"),),
        subscriptions=(SubscriptionDescription(topic="events", name="router"),),
    )


@pytest.fixture
def bus() -> Bus:
    engine = Bus()
    engine.apply(_topology())
    return engine


@pytest.fixture
async def broker(bus: Bus) -> AsyncIterator[BrokerServer]:
    async with BrokerServer(bus) as server:
        yield server


@pytest.fixture
async def client(broker: BrokerServer) -> AsyncIterator[MultiplexedReceiver]:
    async with MultiplexedReceiver.connect(broker.connection_string) as receiver:
        yield receiver


class StartHost(Protocol):
    def __call__(
        self, bus: str = NOWHERE, *, app: Path = APP, grace: float = 5.0, settings: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[FunctionsHost]: ...


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Start a host over the fixture app with the given settings."""
    path = list(sys.path)

    @asynccontextmanager
    async def start(
        bus: str = NOWHERE, *, app: Path = APP, grace: float = 5.0, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[FunctionsHost]:
        environment = {
            "ServiceBus": bus,
            "QUEUE": "incoming",
            # Once a year: no test meets it.
            "TICK": "0 0 0 1 1 *",
            "AOS_HOST_FUNCTION_KEY": "the-function-key",
            "AOS_HOST_MASTER_KEY": "the-master-key",
        }
        options = HostOptions(app=app, grace=grace, environment=environment | dict(settings or {}))
        async with FunctionsHost(options) as host:
            if bus != NOWHERE:
                await host.connected()
            yield host

    yield start
    sys.path[:] = path
    sys.modules.pop("function_app", None)


def app_module() -> ModuleType:
    """The fixture app as the running host loaded it."""
    return sys.modules["function_app"]


async def next_seen(*kinds: str) -> Any:
    """The next note a function of the app left, of one of these kinds; others are passed over."""
    while True:
        note = await app_module().seen.get()
        if note in kinds or note[0] in kinds:
            return note


@asynccontextmanager
async def caller(host: FunctionsHost) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=host.base_url) as client:
        yield client
