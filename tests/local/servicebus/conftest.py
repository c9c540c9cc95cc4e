from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.servicebus.broker_thread import BrokerThread


@pytest.fixture(scope="session")
def broker() -> Iterator[BrokerThread]:
    thread = BrokerThread()
    thread.start()
    yield thread
    thread.stop()
