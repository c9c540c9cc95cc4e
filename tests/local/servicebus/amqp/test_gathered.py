from __future__ import annotations

import asyncio
from typing import Any, cast

from aos.local.servicebus.amqp.gathered import GatheredTransport


class Recorder:
    """A transport that notes what is done with it."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def write(self, data: bytes) -> None:
        self.notes.append(data)

    def write_eof(self) -> None:
        self.notes.append("eof")

    def close(self) -> None:
        self.notes.append("close")

    def abort(self) -> None:
        self.notes.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.notes


def _gathered() -> tuple[GatheredTransport, Recorder]:
    recorder = Recorder()
    return GatheredTransport(cast("asyncio.Transport", recorder)), recorder


async def test_what_is_written_in_one_turn_of_the_loop_leaves_at_once_and_in_order() -> None:
    transport, recorder = _gathered()
    transport.write(b"a")
    transport.write(b"b")
    assert recorder.notes == []
    await asyncio.sleep(0)
    transport.write(b"c")
    await asyncio.sleep(0)
    assert recorder.notes == [b"ab", b"c"]


async def test_nothing_is_held_back_from_a_full_buffer_or_an_end() -> None:
    transport, recorder = _gathered()
    transport.write(b"x" * 70_000)
    assert len(recorder.notes) == 1
    transport.write(b"last")
    transport.write_eof()
    transport.write(b"words")
    transport.close()
    await asyncio.sleep(0)
    assert recorder.notes[1:] == [b"last", "eof", b"words", "close"]


async def test_an_abort_drops_what_is_held() -> None:
    transport, recorder = _gathered()
    transport.write(b"never")
    transport.abort()
    await asyncio.sleep(0)
    assert recorder.notes == ["abort"]
