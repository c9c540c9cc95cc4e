"""The frame bodies of the protocol: connection, session, link and transfer, and the SASL exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.local.servicebus.amqp.composite import Composite, register
from aos.local.servicebus.amqp.terminus import AmqpError, Coordinator, Source, Target

SENDER = False
RECEIVER = True


@dataclass(slots=True)
class Open(Composite):
    container_id: str
    hostname: str | None = None
    max_frame_size: int | None = None
    channel_max: int | None = None
    idle_time_out: int | None = None
    outgoing_locales: Any = None
    incoming_locales: Any = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Begin(Composite):
    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Attach(Composite):
    name: str
    handle: int
    role: bool
    snd_settle_mode: int | None = None
    rcv_settle_mode: int | None = None
    source: Source | None = None
    target: Target | Coordinator | None = None
    unsettled: dict[Any, Any] | None = None
    incomplete_unsettled: bool | None = None
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Flow(Composite):
    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool | None = None
    echo: bool | None = None
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Transfer(Composite):
    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool | None = None
    rcv_settle_mode: int | None = None
    state: Any = None
    resume: bool | None = None
    aborted: bool | None = None
    batchable: bool | None = None


@dataclass(slots=True)
class Disposition(Composite):
    role: bool
    first: int
    last: int | None = None
    settled: bool | None = None
    state: Any = None
    batchable: bool | None = None


@dataclass(slots=True)
class Detach(Composite):
    handle: int
    closed: bool | None = None
    error: AmqpError | None = None


@dataclass(slots=True)
class End(Composite):
    error: AmqpError | None = None


@dataclass(slots=True)
class Close(Composite):
    error: AmqpError | None = None


@dataclass(slots=True)
class SaslMechanisms(Composite):
    mechanisms: Any


@dataclass(slots=True)
class SaslInit(Composite):
    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


@dataclass(slots=True)
class SaslOutcome(Composite):
    code: int
    additional_data: bytes | None = None


def _define(kind: type[Composite], code: int, name: str, kinds: str) -> None:
    kind.CODE, kind.NAME, kind.KINDS = code, name, tuple(kinds.split())
    register(kind)


_CAPABILITIES = "symbols symbols"
_define(Open, 0x10, "open", f"!string string uint ushort uint symbols symbols {_CAPABILITIES} map")
_define(Begin, 0x11, "begin", f"ushort !uint !uint !uint uint {_CAPABILITIES} map")
_define(
    Attach,
    0x12,
    "attach",
    f"!string !uint !boolean ubyte ubyte source target|coordinator map boolean uint ulong {_CAPABILITIES} map",
)
_define(Flow, 0x13, "flow", "uint !uint !uint !uint uint uint uint uint boolean boolean map")
_define(Transfer, 0x14, "transfer", "!uint uint binary uint boolean boolean ubyte any boolean boolean boolean")
_define(Disposition, 0x15, "disposition", "!boolean !uint uint boolean any boolean")
_define(Detach, 0x16, "detach", "!uint boolean error")
_define(End, 0x17, "end", "error")
_define(Close, 0x18, "close", "error")
_define(SaslMechanisms, 0x40, "sasl-mechanisms", "!symbols")
_define(SaslInit, 0x41, "sasl-init", "!symbol binary string")
_define(SaslOutcome, 0x44, "sasl-outcome", "!ubyte binary")
