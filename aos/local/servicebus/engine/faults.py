"""Faults a test can ask for. Off by default: an empty list costs one truth test an operation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from aos.local.servicebus.engine.errors import InjectedFault, ServerBusy


class FaultKind(Enum):
    """What goes wrong, and who makes it so.

    Protocol layer: `DROP_CONNECTION`, `DELAY`. Engine: the rest. `REFUSE` and `THROTTLE` raise;
    `DUPLICATE_DELIVERY` accepts a completion and delivers the message once more; `EXPIRE_LOCK` and
    `STEAL_SESSION` take the lock away just before a settlement or a renewal.
    """

    DROP_CONNECTION = "drop_connection"
    DELAY = "delay"
    REFUSE = "refuse"
    THROTTLE = "throttle"
    DUPLICATE_DELIVERY = "duplicate_delivery"
    EXPIRE_LOCK = "expire_lock"
    STEAL_SESSION = "steal_session"


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        entity: Path of the entity it concerns, in any case; None for every one.
        operation: `send`, `schedule`, `cancel`, `receive`, `settle`, `renew`, `accept_session`, `peek`,
            `session_state`, or a name of the protocol layer's own (`open`, `attach`, ...); None for every one.
        times: How often it strikes before it is spent; None for always.
        skip: How many matching operations it lets pass first.
        delay: For `DELAY`.
        condition: AMQP condition for `REFUSE`.
    """

    kind: FaultKind
    entity: str | None = None
    operation: str | None = None
    times: int | None = 1
    skip: int = 0
    delay: timedelta = timedelta()
    condition: str = "amqp:internal-error"


class Faults:
    """The faults in force. The engine and the protocol layer both ask it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force."""
        self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take it out again; nothing happens if it is spent."""
        self._faults = [other for other in self._faults if other is not fault]

    def clear(self) -> None:
        self._faults = []

    def take(self, kind: FaultKind, entity: str, operation: str) -> Fault | None:
        """The fault of this kind that strikes now, counted as used, or None."""
        for fault in self._faults:
            if fault.kind is kind and _concerns(fault, entity, operation):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.remove(fault)
                return fault
        return None

    def check(self, entity: str, operation: str) -> None:
        """Raise for a `REFUSE` or a `THROTTLE` that strikes now.

        Raises:
            InjectedFault: refused.
            ServerBusy: throttled.
        """
        if not self._faults:
            return
        if self.take(FaultKind.THROTTLE, entity, operation) is not None:
            raise ServerBusy(f"{entity!r} is throttled by an injected fault: wait and try again.")
        refusal = self.take(FaultKind.REFUSE, entity, operation)
        if refusal is not None:
            raise InjectedFault(f"{operation} on {entity!r} refused by a fault.", condition=refusal.condition)


def _concerns(fault: Fault, entity: str, operation: str) -> bool:
    return (fault.entity is None or fault.entity.lower() == entity.lower()) and (
        fault.operation is None or fault.operation == operation
    )
