"""What a wire dialect is: it writes requests and reads answers, and does no I/O of its own."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Literal, cast
from urllib.parse import quote

from aos.llm.assembly import Assembly
from aos.llm.call import Target
from aos.llm.errors import MalformedAnswer, ModelError
from aos.llm.faults import error_in
from aos.llm.framing import ServerEvent
from aos.llm.provider import DialectName
from aos.llm.request import EmbeddingRequest, ModelRequest
from aos.llm.response import Delta, Usage
from aos.llm.wire import Outgoing


class ReportedError(Exception):
    """The provider reported an error inside an answer that began well; `body` is what it said."""

    def __init__(self, body: Any) -> None:
        super().__init__("the provider reported an error")
        self.body = body


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to one target. `structured` says how the dialect is to ask for the response format, if it is."""

    target: Target
    request: ModelRequest
    stream: bool = False
    structured: Literal["json_schema", "json_object"] | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None


class Decoder(ABC):
    """Reads one answer into an assembly: all at once with `whole`, or event by event with `feed`."""

    def __init__(self, ask: Ask, assembly: Assembly) -> None:
        self.ask = ask
        self.assembly = assembly
        self.done = False
        """Nothing more will come."""
        self.event_type = ""

    @property
    def settled(self) -> bool:
        """The finish marker has come; only accounting may follow."""
        return self.assembly.finish is not None

    @abstractmethod
    def whole(self, body: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        """One event of a stream, its data parsed; `event_type` is its type."""
        ...

    def feed(self, event: ServerEvent) -> list[Delta]:
        try:
            data = json.loads(event.data)
        except ValueError as error:
            raise self.malformed("an event of the stream is not JSON.") from error
        if not isinstance(data, Mapping):
            raise self.malformed("an event of the stream is not a JSON object.")
        if error_in(data) is not None:
            raise ReportedError(data)
        self.event_type = event.type
        return self.read(data)

    def malformed(self, message: str) -> ModelError:
        return self.ask.target.error(MalformedAnswer, message)


class Dialect(ABC):
    """One way of talking to model providers."""

    framing: ClassVar[Literal["sse", "ndjson"]] = "sse"

    @abstractmethod
    def chat(self, ask: Ask) -> Outgoing: ...

    @abstractmethod
    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder: ...


class EmbeddingDialect(Dialect):
    """A dialect that also has embeddings."""

    @abstractmethod
    def embed(self, target: Target, request: EmbeddingRequest) -> Outgoing: ...

    @abstractmethod
    def vectors(self, target: Target, body: Mapping[str, Any]) -> Vectors: ...


class DeferredDialect(Dialect):
    """A dialect whose answers are made in the background: a first request orders one, others fetch it."""

    @abstractmethod
    def poll(self, ask: Ask, body: Mapping[str, Any]) -> Outgoing | None:
        """How to ask again for an answer that is still being made; None where it is there."""
        ...

    @abstractmethod
    def open_stream(self, ask: Ask, body: Mapping[str, Any]) -> Outgoing:
        """How to open the stream of an answer that was ordered."""
        ...

    @abstractmethod
    def abandon(self, body: Mapping[str, Any]) -> Outgoing | None:
        """How to tell the provider that nobody waits for the answer any more."""
        ...


def path(target: Target, kind: Literal["chat", "embeddings"], usual: str) -> str:
    """The path below the base URL, with the model's name filled in."""
    own = target.profile.paths.chat if kind == "chat" else target.profile.paths.embeddings
    return (own or usual).replace("{model}", quote(target.model, safe="/:@"))


def signed(vendor: str, signature: str) -> str | None:
    """A vendor's opaque token, marked as its own: no other vendor takes it."""
    return f"{vendor}|{signature}" if signature else None


def own_signature(vendor: str, signature: str | None) -> str | None:
    """The token, where this vendor made it."""
    maker, _, token = (signature or "").partition("|")
    return token if maker == vendor and token else None


def shaped(ask: Ask, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with the provider's rules applied, absent values left out and the caller's extra fields put in."""
    rules = ask.target.rules
    sent = {name: value for name, value in body.items() if value is not None}
    sent = {**rules.fixed, **sent}
    sent = {name: value for name, value in sent.items() if name not in rules.drop}
    if rules.allow is not None:
        sent = {name: value for name, value in sent.items() if name in rules.allow}
    sent = {rules.rename.get(name, name): value for name, value in sent.items()}
    return {**sent, **ask.request.extra.get(ask.target.profile.id, {})}


def vector(target: Target, value: Any) -> tuple[float, ...]:
    """A vector from a list of numbers, or from base64 of little-endian 32-bit floats.

    Raises:
        MalformedAnswer: it is neither.
    """
    try:
        if isinstance(value, str):
            raw = base64.b64decode(value, validate=True)
            return struct.unpack(f"<{len(raw) // 4}f", raw)
        if isinstance(value, list):
            return tuple(float(number) for number in value)
    except (binascii.Error, struct.error, TypeError, ValueError) as error:
        raise target.error(MalformedAnswer, f"a vector cannot be read: {error}.") from error
    raise target.error(MalformedAnswer, "a vector is missing.")


def arguments_text(value: Any) -> str:
    """Tool arguments that came as JSON, as the text an assembly checks; what is no object stays none."""
    return json.dumps({} if value is None else value, ensure_ascii=False, separators=(",", ":"))


def temperature(ask: Ask) -> float | None:
    asked, most = ask.request.temperature, ask.target.rules.max_temperature
    return asked if asked is None or most is None else min(asked, most)


@cache
def load(name: DialectName) -> Dialect:
    """The dialect of that name. Its module is imported on first use."""
    return cast("Dialect", import_module(f"aos.llm.dialects.{name}").DIALECT)
