"""The caller's deadline bounds everything, and whoever stops waiting closes the connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from aos.llm import errors as e
from aos.llm.client import HttpTransport
from aos.llm.request import ModelRequest
from aos.llm.response import StreamEnd, TextDelta
from aos.llm.transport import CallTimes
from aos.testing.models import ModelServer, Pending, Say, Stall
from tests.llm.conftest import DIALECTS, MODEL_OF, TIMES, profile_on

SHORT = 0.15
ASK = ModelRequest.ask("Hello")
SAID = Say("one two three four five six seven eight")


@pytest.fixture(autouse=True)
async def warm(server: ModelServer, transport: HttpTransport) -> None:
    """Make the HTTP client before times are short: that alone takes a while."""
    await ask(transport, server, "openai_chat", TIMES, stream=False)
    server.seen.clear()


async def left(server: ModelServer) -> None:
    async with asyncio.timeout(10):
        await server.until_disconnected()


async def ask(transport: HttpTransport, server: ModelServer, dialect: str, times: CallTimes, *, stream: bool) -> str:
    if stream:
        return await drain(transport, server, dialect, times)
    return (await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=times)).text


async def drain(transport: HttpTransport, server: ModelServer, dialect: str, times: CallTimes) -> str:
    text = ""
    async for delta in transport.stream(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=times):
        text += delta.text if isinstance(delta, TextDelta) else ""
    return text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_whole_answer_has_its_time(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Stall())
    with pytest.raises(e.ModelTimedOut) as caught:
        await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=CallTimes(whole=SHORT))
    assert caught.value.phase == "whole"
    assert caught.value.recourse is e.Recourse.FAIL_OVER
    await left(server)


@pytest.mark.parametrize("frames", [None, 0])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_first_token_has_its_time(
    dialect: str, frames: int | None, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Stall(frames, SAID))
    with pytest.raises(e.ModelTimedOut) as caught:
        await drain(transport, server, dialect, CallTimes(first_token=SHORT))
    assert caught.value.phase == "first_token"
    assert caught.value.partial is None
    await left(server)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_each_further_token_has_its_time(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Stall(4, SAID))
    with pytest.raises(e.ModelTimedOut) as caught:
        await drain(transport, server, dialect, CallTimes(first_token=5, between_tokens=SHORT))
    assert caught.value.phase == "between_tokens"
    assert caught.value.partial is not None
    assert caught.value.partial.text.startswith("one")
    await left(server)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_deadline_comes_before_all_other_times(
    dialect: str, stream: bool, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Stall(0, SAID))
    times = CallTimes(deadline=time.monotonic() + SHORT)
    with pytest.raises(e.CallDeadlineExceeded):
        await ask(transport, server, dialect, times, stream=stream)
    if dialect != "replicate_predictions":
        await left(server)


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_is_begun_after_the_deadline(stream: bool, server: ModelServer, transport: HttpTransport) -> None:
    times = CallTimes(deadline=time.monotonic() - 1)
    with pytest.raises(e.CallDeadlineExceeded):
        await ask(transport, server, "openai_chat", times, stream=stream)
    assert server.seen == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_cancelling_a_call_closes_its_connection(
    dialect: str, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Stall())
    call = asyncio.create_task(transport.complete(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=TIMES))
    await server.until_asked()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await left(server)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_closing_a_stream_closes_its_connection(
    dialect: str, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Stall(4, SAID))
    stream = transport.stream(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=TIMES)
    async with aclosing(stream) as deltas:
        async for _ in deltas:
            break
    await left(server)


async def test_a_prediction_nobody_waits_for_is_called_off(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Pending(polls=1_000_000))
    profile = profile_on(server, "replicate_predictions")
    call = asyncio.create_task(transport.complete(profile, "openai/gpt-oss-20b", ASK, times=TIMES))
    await server.until_asked(3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert server.canceled == ["p1"]


async def test_a_caller_who_takes_time_over_a_token_is_not_timed_out(
    server: ModelServer, transport: HttpTransport
) -> None:
    server.play(SAID)
    profile = profile_on(server, "openai_chat")
    released = asyncio.Event()
    last: object = None
    async for delta in transport.stream(profile, "gpt-4.1", ASK, times=CallTimes(between_tokens=SHORT)):
        if not released.is_set():
            asyncio.get_running_loop().call_later(2 * SHORT, released.set)
            await released.wait()
        last = delta
    assert isinstance(last, StreamEnd)


async def test_a_finished_stream_gives_its_connection_back(server: ModelServer, transport: HttpTransport) -> None:
    for _ in range(3):
        await drain(transport, server, "openai_chat", TIMES)
    assert server.open_connections == 1
