"""Cuts a byte stream into server-sent events or JSON lines, wherever its chunks happen to end."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Protocol

LONGEST_LINE = 16 * 1024 * 1024


class FrameTooLong(ValueError):
    """A line or an event longer than 16 MiB: not a model's answer."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its type, where the stream names types, and its data."""

    type: str
    data: str


class FrameParser(Protocol):
    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that are complete with this chunk."""
        ...

    def close(self) -> list[ServerEvent]:
        """What is left when the stream has ended: an event whose closing line break never came, at most."""
        ...


class SseParser:
    """Server-sent events as the HTML standard has them: any line end, comments, several data lines."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._after_cr = False
        self._first = True
        self._type = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        return self._lines(self._decoder.decode(chunk))

    def close(self) -> list[ServerEvent]:
        events = self._lines(self._decoder.decode(b"", final=True))
        last, self._rest = self._rest, ""
        if last:
            self._field(last)
        return [*events, *self._dispatch()]

    def _lines(self, text: str) -> list[ServerEvent]:
        if not text:
            return []
        if self._first:
            text, self._first = text.removeprefix("\ufeff"), False
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r") if text else False
        *lines, self._rest = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(self._rest) > LONGEST_LINE:
            raise FrameTooLong("a line of the stream is longer than 16 MiB")
        events: list[ServerEvent] = []
        for line in lines:
            if line:
                self._field(line)
            else:
                events += self._dispatch()
        return events

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(value)
            if self._size > LONGEST_LINE:
                raise FrameTooLong("an event of the stream is longer than 16 MiB")
        elif name == "event":
            self._type = value

    def _dispatch(self) -> list[ServerEvent]:
        kind, data = self._type, self._data
        self._type, self._data, self._size = "", [], 0
        return [ServerEvent(kind, "\n".join(data))] if data else []


class NdjsonParser:
    """One JSON document a line. Lines are cut as bytes, so that a split character does no harm."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise FrameTooLong("a line of the stream is longer than 16 MiB")
        return [self._event(line) for line in lines if line.strip()]

    def close(self) -> list[ServerEvent]:
        last, self._rest = self._rest, b""
        return [self._event(last)] if last.strip() else []

    @staticmethod
    def _event(line: bytes) -> ServerEvent:
        return ServerEvent("", line.decode("utf-8", errors="replace").strip())
