"""Follows what an agent puts on record, event by event: as server-sent events, or by asking again with a wait.

An event is a fact of the agent's journal; its id is the turn's version and the fact's number, so that whoever was cut
off goes on behind the last one he saw.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from aos.api.access import system_of
from aos.kernel.errors import InvalidInput
from aos.reliability.waiting import look_until

if TYPE_CHECKING:
    from aos.kernel.journal import JournalEntry
    from aos.system import AgentOperatingSystem

TURN = "turn"
"""The event that ends what a turn had to say."""
_BEAT = 15.0
"""Seconds of silence after which a stream says that it is still there."""
_STREAM = 200.0
"""Seconds a stream lasts at most; Azure ends an HTTP answer after 230."""
_RECONNECT_MS = 1_000
_TURNS = 100
_TURNS_END = 10**9
"""Above the number of any event of a turn: a version alone stands for the whole of it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something an agent put on record.

    Attributes:
        version, number: Of the turn, and of the event in it.
        name: Kind of the fact.
        data: The fact, with `time` and `version`.
    """

    version: int
    number: int
    name: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.version}.{self.number}"

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "event": self.name, "data": self.data}

    def to_stream(self) -> bytes:
        """As the event-stream format has it (WHATWG HTML, 9.2.5)."""
        return f"id: {self.id}\nevent: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Position:
    """The last event that was seen."""

    version: int = 0
    number: int = -1

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """Raises `InvalidInput` for what is no event's id."""
        if not text:
            return cls()
        version, _, number = text.partition(".")
        if not version.isdecimal() or (number and not number.isdecimal()):
            raise InvalidInput(f"{text!r} is no event's id. Give the id of the last event you have, or none.")
        return cls(int(version), int(number) if number else _TURNS_END)

    def __str__(self) -> str:
        return f"{self.version}.{self.number}" if self.version else ""


Ends = Callable[[Event], bool]


async def follow(
    request: Request,
    address: str,
    *,
    after: str | None,
    wait: float,
    ends: Ends = lambda _: False,
    look: Callable[[], Awaitable[Any]] | None = None,
) -> Response | dict[str, Any]:
    """Answer with the events of an agent behind `after`.

    Args:
        request: An `Accept: text/event-stream` is answered with a stream, anything else with JSON. `Last-Event-ID`
            counts where `after` is not given.
        address: The agent's.
        after: Id of the last event that was seen.
        wait: Seconds to wait for the first event, where the answer is JSON or cannot be streamed.
        ends: Whether nothing follows an event.
        look: Raises `NotFound` where there is nothing to follow; looks for the agent unless given.

    Raises:
        NotFound: there is no such agent.
        InvalidInput: `after` is no event's id.
    """
    system = system_of(request)
    position = Position.parse(after or request.headers.get("last-event-id"))
    await (look() if look else system.directory.status(address))
    if "text/event-stream" not in request.headers.get("accept", ""):
        events = await _first(system, address, position, min(wait, system.config.api.max_wait_seconds))
        ended = any(ends(event) for event in events)
        return {"events": [event.to_json() for event in events], "after": _last(events, position), "ended": ended}
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    stream = _stream(system, address, position, ends)
    if system.config.api.streaming:
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
    # A bridge that buffers sends nothing before the end: what there is goes out at once, and the reader asks again.
    events = await _first(system, address, position, min(wait or _BEAT, system.config.api.max_wait_seconds))
    body = b"".join([_opening(), *(event.to_stream() for event in events)])
    return Response(body, media_type="text/event-stream", headers=headers)


def _opening() -> bytes:
    return f"retry: {_RECONNECT_MS}\n\n".encode()


def _last(events: Sequence[Event], position: Position) -> str:
    return events[-1].id if events else str(position)


async def _first(system: AgentOperatingSystem, address: str, position: Position, wait: float) -> list[Event]:
    """The events behind `position`, waiting for the first of them."""
    return await look_until(bool, lambda: _events(system, address, position), seconds=wait)


async def _stream(system: AgentOperatingSystem, address: str, position: Position, ends: Ends) -> AsyncIterator[bytes]:
    clock = system.adapters.clock
    until = clock.monotonic() + _STREAM
    yield _opening()
    while clock.monotonic() < until:
        events = await _first(system, address, position, _BEAT)
        for event in events:
            yield event.to_stream()
            if ends(event):
                return
            position = Position(event.version, event.number)
        if not events:
            yield b": still there\n\n"


async def _events(system: AgentOperatingSystem, address: str, position: Position) -> list[Event]:
    entries = await system.kernel.journal.entries(address, after=max(0, position.version - 1), limit=_TURNS)
    events = [event for entry in entries for event in events_of(entry)]
    return [event for event in events if (event.version, event.number) > (position.version, position.number)]


def events_of(entry: JournalEntry) -> list[Event]:
    """The events of one turn: its facts, and what there is to say about the turn itself."""
    common = {"version": entry.version, "time": entry.time}
    facts = [
        Event(entry.version, number, str(fact["kind"]), {**fact, **common}) for number, fact in enumerate(entry.facts)
    ]
    turn = {
        **common,
        "received": [{"type": record["message"]["type"], "outcome": record["outcome"]} for record in entry.received],
        "sent": len(entry.sent),
        "decisions": entry.decisions,
        "usage": entry.usage,
        "duration_ms": entry.duration_ms,
    }
    return [*facts, Event(entry.version, len(facts), TURN, turn)]
