from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.servicebus.broker_thread import BrokerThread
from tests.sdk_polling import frequent_polling  # noqa: F401  # a fixture of all tests here


@pytest.fixture(scope="session")
def broker() -> Iterator[BrokerThread]:
    thread = BrokerThread()
    thread.start()
    yield thread
    thread.stop()
