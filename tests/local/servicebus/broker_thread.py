"""A broker on a thread of its own, so that blocking clients and asynchronous ones can be tested alike."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aos.local.servicebus.engine import (
    Bus,
    QueueDescription,
    RuleDescription,
    SubscriptionDescription,
    TopicDescription,
)
from aos.local.servicebus.server.broker_server import BrokerServer

T = TypeVar("T")


class BrokerThread:
    """Runs `BrokerServer`; entities are made as tests need them, each with a name of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)
        self._names = itertools.count()
        self.bus = Bus()
        self.server: BrokerServer

    def start(self) -> None:
        self._thread.start()
        self.run(self._start())

    async def _start(self) -> None:
        self.server = BrokerServer(self.bus)
        await self.server.start()

    def stop(self) -> None:
        self.run(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connection_string(self) -> str:
        return self.server.connection_string

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call into the engine on the broker's own thread."""

        async def work() -> T:
            return function(*arguments)

        return self.run(work())

    def queue(self, **properties: Any) -> str:
        name = f"queue-{next(self._names)}"
        self.call(self.bus.create_queue, QueueDescription(name=name, **properties))
        return name

    def topic(self, **properties: Any) -> str:
        name = f"topic-{next(self._names)}"
        self.call(self.bus.create_topic, TopicDescription(name=name, **properties))
        return name

    def subscription(self, topic: str, *rules: RuleDescription, **properties: Any) -> str:
        name = f"sub-{next(self._names)}"
        self.call(
            self.bus.create_subscription,
            SubscriptionDescription(topic=topic, name=name, rules=rules or None, **properties),
        )
        return name
