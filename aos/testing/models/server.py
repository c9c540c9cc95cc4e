"""The loopback provider: takes requests in every dialect, plays its script, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aos.testing.models.http import HttpReply, HttpRequest, read_request
from aos.testing.models.predictions import Predictions
from aos.testing.models.script import (
    Break,
    Cut,
    Disconnect,
    Garble,
    Play,
    Raw,
    Refuse,
    Reproach,
    Say,
    Stall,
)
from aos.testing.models.voices import (
    AnthropicVoice,
    CohereVoice,
    GeminiVoice,
    OllamaVoice,
    OpenAIVoice,
    ReplicateVoice,
    ResponsesVoice,
    Voice,
)

_GARBAGE = b'{"half": '


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class ModelServer:
    """A model provider on 127.0.0.1, as an async context manager.

    Plays are used up in the order given; when none is left, every call gets a plain `Say()`.

    Args:
        key: The API key that calls must carry; any will do where it is None.
        shatter: Cut streams into chunks of so many bytes, wherever events and characters end.

    Attributes:
        seen: The requests, oldest first.
        billed: How many answers were made; a repeated idempotency key is answered again and billed once.
        canceled: Ids of predictions that were called off.
        disconnects: How many clients left before their answer was whole.
    """

    def __init__(self, *plays: Play, key: str | None = None, shatter: int | None = None) -> None:
        self.seen: list[Seen] = []
        self.billed = 0
        self.disconnects = 0
        self.open_connections = 0
        self._key = key
        self._shatter = shatter
        self._plays: deque[Play] = deque(plays)
        self._answers: dict[str, Say] = {}
        self._predictions = Predictions()
        self._voices: tuple[Voice, ...] = (
            OpenAIVoice(),
            AnthropicVoice(),
            GeminiVoice(),
            CohereVoice(),
            ResponsesVoice(),
            ReplicateVoice(),
            OllamaVoice(),
        )
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        """Address of the server; a dialect's base URL is this and what its paths begin with."""
        host, port = self._running.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def canceled(self) -> list[str]:
        return self._predictions.canceled

    def play(self, *plays: Play) -> None:
        """Add to the script."""
        self._plays.extend(plays)

    async def until_disconnected(self, count: int = 1) -> None:
        """Wait until so many clients have left before their time."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.disconnects >= count)

    async def until_asked(self, count: int = 1) -> None:
        """Wait until so many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.seen) >= count)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server = self._running
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    @property
    def _running(self) -> asyncio.Server:
        if self._server is None:
            raise RuntimeError("Enter the server with `async with` first.")
        return self._server

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        try:
            while (request := await read_request(reader)) is not None:
                await self._note(request)
                if not await self._answer(request, HttpReply(writer, self._shatter), reader):
                    return
        except ConnectionError:
            await self._left()
        finally:
            self.open_connections -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _note(self, request: HttpRequest) -> None:
        async with self._changed:
            self.seen.append(Seen(request.method, request.path, request.query, request.headers, request.body))
            self._changed.notify_all()

    async def _left(self) -> None:
        async with self._changed:
            self.disconnects += 1
            self._changed.notify_all()

    async def _answer(self, request: HttpRequest, reply: HttpReply, reader: asyncio.StreamReader) -> bool:
        """Answer one request. False where the connection is not to be used again."""
        if (known := self._predictions.known(request, self.url)) is not None:
            if isinstance(known, Mapping):
                await reply.whole(200, json.dumps(known).encode())
                return True
            return await self._perform(known, ReplicateVoice(), request, reply, reader, stream=True)
        voice = next((voice for voice in self._voices if voice.speaks(request)), None)
        if voice is None:
            await reply.whole(404, b'{"error": {"message": "no such path"}}')
            return True
        key = voice.key(request.headers)
        if key is None or (self._key is not None and key != self._key and not isinstance(voice, OllamaVoice)):
            refusal = Refuse(401, "the API key is wrong")
            return await self._perform(refusal, voice, request, reply, reader, stream=False)
        vectors = voice.embed(request)
        if vectors is not None and (not self._plays or isinstance(self._plays[0], Say)):
            self._next(request)
            await reply.whole(200, json.dumps(vectors).encode())
            return True
        play = self._next(request)
        if isinstance(voice, ReplicateVoice) and (order := self._predictions.order(play, request, self.url)):
            await reply.whole(201, json.dumps(order).encode())
            return True
        return await self._perform(play, voice, request, reply, reader, stream=voice.streams(request))

    def _next(self, request: HttpRequest) -> Play:
        """The next play. What was answered under an idempotency key is answered again, without new work."""
        key = request.headers.get("idempotency-key")
        if key is not None and key in self._answers:
            return self._answers[key]
        play = self._plays.popleft() if self._plays else Say()
        made = play if isinstance(play, Say) else play.say if isinstance(play, Disconnect) and play.after_work else None
        if made is not None:
            self.billed += 1
            if key is not None:
                self._answers[key] = made
        return play

    async def _perform(
        self,
        play: Play,
        voice: Voice,
        request: HttpRequest,
        reply: HttpReply,
        reader: asyncio.StreamReader,
        *,
        stream: bool,
    ) -> bool:
        if isinstance(play, Refuse):
            body = voice.error(play.status, play.code, play.message)
            await reply.whole(play.status, json.dumps(body).encode(), headers=play.headers)
        elif isinstance(play, Reproach):
            await reply.whole(200, json.dumps(voice.error(500, play.code, play.message)).encode())
        elif isinstance(play, Raw):
            await reply.whole(play.status, play.body, play.content_type, play.headers)
        elif isinstance(play, Disconnect):
            reply.abort()
            return False
        elif isinstance(play, Stall) and (play.frames is None or not stream):
            await self._wait_for_leave(reader)
            return False
        elif stream:
            return await self._stream(play, voice, request, reply, reader)
        else:
            return await self._whole(play, voice, request, reply)
        return True

    async def _whole(self, play: Play, voice: Voice, request: HttpRequest, reply: HttpReply) -> bool:
        say = play if isinstance(play, Say) else getattr(play, "say", Say())
        body = json.dumps(voice.whole(say, request), ensure_ascii=False).encode()
        if isinstance(play, Garble):
            await reply.whole(200, _GARBAGE)
        elif isinstance(play, Break):
            await reply.whole(200, json.dumps(voice.error(500, play.code, play.message)).encode())
        elif isinstance(play, Cut):
            await reply.whole(200, body, sent=len(body) // 2)
            reply.abort()
            return False
        else:
            await reply.whole(200, body)
        return True

    async def _stream(
        self, play: Play, voice: Voice, request: HttpRequest, reply: HttpReply, reader: asyncio.StreamReader
    ) -> bool:
        if isinstance(play, Stall | Cut | Break | Garble):
            frames = voice.frames(play.say, request)[: play.frames]
        elif isinstance(play, Say):
            frames = voice.frames(play, request)
        else:
            raise TypeError(f"{play!r} cannot be streamed")
        await reply.begin(voice.content_type)
        for frame in frames:
            await reply.chunk(frame)
        if isinstance(play, Break):
            await reply.chunk(voice.error_frame(play.code, play.message))
        elif isinstance(play, Garble):
            await reply.chunk(b"data: " * (not isinstance(voice, OllamaVoice)) + _GARBAGE + b"\n\n")
        elif isinstance(play, Stall):
            await self._wait_for_leave(reader)
            return False
        if isinstance(play, Cut) and not play.clean:
            reply.abort()
            return False
        await reply.end()
        return True

    async def _wait_for_leave(self, reader: asyncio.StreamReader) -> None:
        """Until the client closes the connection, which is counted."""
        with suppress(ConnectionError):
            await reader.read(1)
        await self._left()
