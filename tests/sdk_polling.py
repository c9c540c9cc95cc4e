"""Has clients of the Service Bus SDK look around often, as the machine they talk to is this one.

They find out by polling: ten to twenty times a second whether a connection is open, and once a second whether somebody
has closed them, who waits for that. It makes half a second for opening and one for closing each sender and receiver.
A `conftest.py` that imports the fixture shortens these pauses; pauses between tries are what they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace

import pytest

_PAUSES = {1: 0.01, 0.1: 0.005, 0.05: 0.002}
"""Seconds the SDK waits between two looks, and those it waits here."""
_ASYNC = (
    "_pyamqp.aio._client_async",
    "_pyamqp.aio._connection_async",
    "_pyamqp.aio._session_async",
    "aio._servicebus_receiver_async",
    "aio._servicebus_sender_async",
)
_SYNC = ("_pyamqp.client", "_pyamqp._connection", "_pyamqp.session", "_servicebus_receiver", "_servicebus_sender")


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(_PAUSES.get(seconds, seconds))


def _sleep_in_thread(seconds: float) -> None:
    time.sleep(_PAUSES.get(seconds, seconds))


@pytest.fixture(scope="session", autouse=True)
def frequent_polling() -> Iterator[None]:
    """Shorten the pauses of the SDK's clients."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _ASYNC:
            module = import_module(f"azure.servicebus.{name}")
            patch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": _sleep}))
        for name in _SYNC:
            module = import_module(f"azure.servicebus.{name}")
            patch.setattr(module, "time", SimpleNamespace(**{**vars(time), "sleep": _sleep_in_thread}))
        yield
