"""What performatives carry: the ends of a link, the outcomes of a delivery, and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.local.servicebus.amqp.composite import Composite, register
from aos.local.servicebus.amqp.types import Symbol


@dataclass(slots=True)
class AmqpError(Composite):
    condition: str
    description: str | None = None
    info: dict[Any, Any] | None = None


@dataclass(slots=True)
class Source(Composite):
    address: Any = None
    durable: int | None = None
    expiry_policy: str | None = None
    timeout: int | None = None
    dynamic: bool | None = None
    dynamic_node_properties: dict[Any, Any] | None = None
    distribution_mode: str | None = None
    filter: dict[Any, Any] | None = None
    default_outcome: Any = None
    outcomes: Any = None
    capabilities: Any = None


@dataclass(slots=True)
class Target(Composite):
    address: Any = None
    durable: int | None = None
    expiry_policy: str | None = None
    timeout: int | None = None
    dynamic: bool | None = None
    dynamic_node_properties: dict[Any, Any] | None = None
    capabilities: Any = None


@dataclass(slots=True)
class Coordinator(Composite):
    capabilities: Any = None


@dataclass(slots=True)
class Received(Composite):
    section_number: int
    section_offset: int


@dataclass(slots=True)
class Accepted(Composite):
    pass


@dataclass(slots=True)
class Rejected(Composite):
    error: AmqpError | None = None


@dataclass(slots=True)
class Released(Composite):
    pass


@dataclass(slots=True)
class Modified(Composite):
    delivery_failed: bool | None = None
    undeliverable_here: bool | None = None
    message_annotations: dict[Any, Any] | None = None


@dataclass(slots=True)
class Declared(Composite):
    txn_id: bytes


@dataclass(slots=True)
class TransactionalState(Composite):
    txn_id: bytes
    outcome: Any = None


Outcome = Accepted | Rejected | Released | Modified


def error_of(condition: str, description: str, info: dict[str, Any] | None = None) -> AmqpError:
    """An error with all three of its fields filled: clients read them by position."""
    return AmqpError(condition, description, {Symbol(key): value for key, value in (info or {}).items()})


def _define(kind: type[Composite], code: int, name: str, kinds: str = "") -> None:
    kind.CODE, kind.NAME, kind.KINDS = code, name, tuple(kinds.split())
    register(kind)


_define(AmqpError, 0x1D, "error", "!symbol string map")
_define(Source, 0x28, "source", "any uint symbol uint boolean map symbol map any symbols symbols")
_define(Target, 0x29, "target", "any uint symbol uint boolean map symbols")
_define(Coordinator, 0x30, "coordinator", "symbols")
_define(Received, 0x23, "received", "!uint !ulong")
_define(Accepted, 0x24, "accepted")
_define(Rejected, 0x25, "rejected", "error")
_define(Released, 0x26, "released")
_define(Modified, 0x27, "modified", "boolean boolean map")
_define(Declared, 0x33, "declared", "!binary")
_define(TransactionalState, 0x34, "transactional-state", "!binary any")
