"""The ways out of an entity other than completion: the dead letters, expiry, and forwarding."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING

from aos.local.servicebus.engine.errors import BusError, EntityNotFound, NotPermitted, QuotaExceeded

if TYPE_CHECKING:
    from aos.local.servicebus.engine.context import Context, Destination
    from aos.local.servicebus.engine.holdings import Holdings
    from aos.local.servicebus.engine.locking import LockingQueue
    from aos.local.servicebus.engine.message import Message, PropertyValue

DEAD_LETTER = "$DeadLetterQueue"
TRANSFER_DEAD_LETTER = "$Transfer/$DeadLetterQueue"
REASON = "DeadLetterReason"
DESCRIPTION = "DeadLetterErrorDescription"


class Departures:
    """Moves messages of one queue elsewhere. A message is copied on its way: somebody may still look at it.

    Destinations are woken by `wake`, when the queue's own state is settled.
    """

    __slots__ = ("_context", "_holdings", "_queue", "_touched")

    def __init__(self, queue: LockingQueue, context: Context, holdings: Holdings) -> None:
        self._queue = queue
        self._context = context
        self._holdings = holdings
        self._touched: list[Destination] = []

    def bury(self, message: Message, reason: str | None, description: str | None, now: datetime) -> None:
        """Take a held message to the dead letters, or to where those are forwarded."""
        self._holdings.remove(message)
        self.bury_new(message, reason, description, now)

    def bury_new(self, message: Message, reason: str | None, description: str | None, now: datetime) -> None:
        """As `bury`, for a message that is not held here."""
        dead = _epitaph(message, reason, description, self._queue.path)
        forward_to = self._queue.description.forward_dead_lettered_to
        if forward_to is None:
            self._put(self._queue.sub_queue(DEAD_LETTER), dead, now)
        else:
            self.forward(dead, forward_to, now)

    def expire(self, message: Message, now: datetime) -> None:
        """The message's time to live has ended."""
        if self._queue.description.dead_letter_on_expiration:
            self.bury(message, "TTLExpiredException", "The message expired and was dead lettered.", now)
        else:
            self._holdings.remove(message)

    def forward(self, message: Message, destination: str, now: datetime) -> None:
        """Send a message on; where that cannot be done, to the transfer dead letters."""
        if message.hops >= self._context.limits.max_hops:
            limit = self._context.limits.max_hops
            description = f"The maximum number of allowed hops ({limit}) when forwarding has been exceeded."
            self._strand(message, "MaxTransferHopCountExceeded", description, now)
            return
        target = self._context.route(destination)
        sent = copy(message)
        sent.hops += 1
        try:
            if target is None:
                raise EntityNotFound(f"There is no queue or topic {destination!r} to forward to.")
            target.take_over(sent, now)
        except BusError as error:
            self._strand(message, _reason_for(error), error.message, now)
            return
        self._touched.append(target)

    def _strand(self, message: Message, reason: str, description: str, now: datetime) -> None:
        stranded = _epitaph(message, reason, description, self._queue.path)
        self._put(self._queue.sub_queue(TRANSFER_DEAD_LETTER), stranded, now)

    def _put(self, grave: LockingQueue, message: Message, now: datetime) -> None:
        grave.accept(message, now)
        self._touched.append(grave)

    def wake(self) -> None:
        touched, self._touched = self._touched, []
        for destination in touched:
            destination.wake()


def _epitaph(message: Message, reason: str | None, description: str | None, source: str) -> Message:
    dead = copy(message)
    properties: dict[str, PropertyValue] = dict(message.application_properties)
    if reason is not None:
        properties[REASON] = reason
    if description is not None:
        properties[DESCRIPTION] = description
    dead.application_properties = properties
    dead.dead_letter_reason = reason
    dead.dead_letter_description = description
    dead.dead_letter_source = source
    dead.modified = True
    return dead


def _reason_for(error: BusError) -> str:
    if isinstance(error, NotPermitted):
        return "Session ID is null."
    if isinstance(error, QuotaExceeded):
        return "TransferDestinationQuotaExceeded"
    if isinstance(error, EntityNotFound):
        return "TransferDestinationNotFound"
    return "TransferDestinationRefused"
