"""What the host knows of a function after indexing: its code, its trigger and its outputs, names resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

AuthLevel = Literal["anonymous", "function", "admin"]
BodyKind = Literal["binary", "string", "undefined"]


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """`methods` None takes all. `streaming` functions get and give the http-fastapi extension's objects."""

    parameter: str
    route: str
    methods: frozenset[str] | None
    auth_level: AuthLevel
    streaming: bool


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    parameter: str
    schedule: str
    run_on_startup: bool
    monitored: bool


@dataclass(frozen=True, slots=True)
class BusTrigger:
    """A queue or subscription. `connection` names a setting; `auto_complete` None leaves it to `host.json`."""

    parameter: str
    connection: str
    entity: str
    sessions: bool
    many: bool
    body_kind: BodyKind
    auto_complete: bool | None


@dataclass(frozen=True, slots=True)
class BusOutput:
    """Where a value goes that the function puts into `parameter` (or returns, for `$return`)."""

    parameter: str
    connection: str
    entity: str


Trigger = HttpTrigger | TimerTrigger | BusTrigger


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app."""

    name: str
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool
    trigger: Trigger
    outputs: tuple[BusOutput, ...]

    @property
    def kind(self) -> str:
        return {HttpTrigger: "http", TimerTrigger: "timer", BusTrigger: "bus"}[type(self.trigger)]
