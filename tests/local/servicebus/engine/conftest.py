from __future__ import annotations

import pytest

from aos.local.servicebus.engine import Bus
from tests.local.servicebus.engine.virtual import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def bus(clock: VirtualClock) -> Bus:
    return Bus(clock=clock)
