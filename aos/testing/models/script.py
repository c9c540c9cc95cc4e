"""What the loopback provider is told to do: answers, and every way an answer can go wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class SayCall:
    """A tool call. `arguments` is sent as it is where it is text, so that it may be malformed."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = "call_1"

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)

    @property
    def value(self) -> Any:
        """For dialects that send arguments as JSON: malformed text becomes a value that is no object."""
        if not isinstance(self.arguments, str):
            return self.arguments
        try:
            return json.loads(self.arguments)
        except ValueError:
            return self.arguments


@dataclass(frozen=True, slots=True)
class Say:
    """A good answer. Streams carry it in pieces of `piece` characters.

    Attributes:
        usage: Whether the tokens are reported.
    """

    text: str = "Hello from the loopback model."
    reasoning: str = ""
    calls: tuple[SayCall, ...] = ()
    finish: Literal["stop", "length", "content_filter"] = "stop"
    input_tokens: int = 12
    output_tokens: int = 7
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    piece: int = 6
    usage: bool = True

    def pieces(self, text: str) -> list[str]:
        return [text[i : i + self.piece] for i in range(0, len(text), self.piece)]


@dataclass(frozen=True, slots=True)
class Refuse:
    """An error answer in the dialect's own shape."""

    status: int
    message: str = "the provider says no"
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reproach:
    """An error body under status 200."""

    message: str = "the provider says no"
    code: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """Any bytes."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection without an answer: before the work is done, or after, when it has been billed."""

    after_work: bool = False
    say: Say = field(default_factory=Say)


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more until the client goes: before the headers, or after `frames` pieces of a stream."""

    frames: int | None = None
    say: Say = field(default_factory=Say)


@dataclass(frozen=True, slots=True)
class Cut:
    """Break off an answer after `frames` pieces: by closing the connection, or by ending the body properly.

    An answer that is not streamed is cut in the middle of its body.
    """

    frames: int = 2
    clean: bool = False
    say: Say = field(default_factory=Say)


@dataclass(frozen=True, slots=True)
class Break:
    """Report an error inside a stream, after `frames` pieces."""

    frames: int = 2
    message: str = "something broke underway"
    code: str = ""
    say: Say = field(default_factory=Say)


@dataclass(frozen=True, slots=True)
class Garble:
    """Send what is no JSON: the body, or the piece after `frames` of a stream."""

    frames: int = 1
    say: Say = field(default_factory=Say)


@dataclass(frozen=True, slots=True)
class Pending:
    """A prediction that is ready only after it has been asked for `polls` times."""

    polls: int = 2
    say: Say = field(default_factory=Say)


Play = Say | Refuse | Reproach | Raw | Disconnect | Stall | Cut | Break | Garble | Pending
