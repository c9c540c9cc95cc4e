"""A link on which the peer sends: transfers put together, handed to the engine, acknowledged when they are safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.kernel.errors import AosError
from aos.local.servicebus.amqp.errors import (
    INTERNAL_ERROR,
    NOT_IMPLEMENTED,
    RESOURCE_LIMIT,
    AmqpFault,
    DecodeFault,
    LinkFault,
)
from aos.local.servicebus.amqp.performatives import RECEIVER, Attach, Disposition, Flow, Transfer
from aos.local.servicebus.amqp.terminus import Accepted, Rejected, TransactionalState, error_of
from aos.local.servicebus.engine import BusError, MessageTooLarge, Topic
from aos.local.servicebus.server.link import Link
from aos.local.servicebus.server.translation import incoming

if TYPE_CHECKING:
    from aos.local.servicebus.server.session import Session

CREDIT = 1_000
# What one connection may have under way in deliveries that are not complete, over all of its links.
MAX_PARTIAL_BYTES = 32 * 1024 * 1024


class Assembly:
    """One delivery in the making. What is over the limit is counted but not kept."""

    __slots__ = ("chunks", "first", "size")

    def __init__(self, first: Transfer) -> None:
        self.first = first
        self.chunks: list[bytes] = []
        self.size = 0


class TransferLink(Link):
    """Puts deliveries together out of transfers and keeps the peer in credit."""

    max_message_size = 1024 * 1024

    def __init__(self, session: Session, attach: Attach, path: str) -> None:
        super().__init__(session, attach, path)
        self._assembly: Assembly | None = None
        self._delivery_count = attach.initial_delivery_count or 0
        self._credit = 0

    def accept(self) -> None:
        """Answer the attach with yes, and give credit."""
        attach = self.attach
        self.session.send(
            Attach(
                name=attach.name,
                handle=self.handle,
                role=RECEIVER,
                snd_settle_mode=attach.snd_settle_mode,
                rcv_settle_mode=attach.rcv_settle_mode,
                source=attach.source,
                target=attach.target,
                max_message_size=self.max_message_size,
            )
        )
        self._give_credit()

    def on_flow(self, flow: Flow) -> None:
        if flow.delivery_count is not None:
            self._delivery_count = flow.delivery_count
        if flow.echo:
            self._give_credit()

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        if isinstance(transfer.state, TransactionalState):
            raise LinkFault(NOT_IMPLEMENTED, "Transactions are not supported by this emulator.")
        assembly = self._assembly
        if assembly is None:
            if transfer.delivery_id is None:
                raise LinkFault("amqp:invalid-field", "the first transfer of a delivery needs a delivery-id")
            assembly = self._assembly = Assembly(transfer)
        self._keep(assembly, payload)
        if transfer.aborted:
            self._drop_assembly()
        elif not transfer.more:
            self._drop_assembly()
            self._count()
            self.deliver(assembly, settled=bool(transfer.settled or assembly.first.settled))

    def deliver(self, assembly: Assembly, *, settled: bool) -> None:
        """A delivery is complete."""
        raise NotImplementedError

    def settle(self, assembly: Assembly, failure: AosError | AmqpFault | None) -> None:
        """Tell the peer what became of a delivery."""
        state: Accepted | Rejected = Accepted()
        if failure is not None:
            condition = getattr(failure, "condition", INTERNAL_ERROR)
            description = failure.description if isinstance(failure, AmqpFault) else failure.message
            state = Rejected(error_of(condition, description))
        if not self.detached:
            delivery_id = assembly.first.delivery_id or 0
            self.session.send(Disposition(RECEIVER, delivery_id, delivery_id, True, state))

    def dispose(self) -> None:
        self._drop_assembly()

    def _keep(self, assembly: Assembly, payload: bytes) -> None:
        assembly.size += len(payload)
        if assembly.size > self.max_message_size:
            self.session.connection.partial_bytes -= sum(map(len, assembly.chunks))
            assembly.chunks.clear()
            return
        assembly.chunks.append(payload)
        connection = self.session.connection
        connection.partial_bytes += len(payload)
        if connection.partial_bytes > MAX_PARTIAL_BYTES:
            raise AmqpFault(RESOURCE_LIMIT, "too many deliveries are under way at once")

    def _drop_assembly(self) -> None:
        if self._assembly is not None:
            self.session.connection.partial_bytes -= sum(map(len, self._assembly.chunks))
            self._assembly = None

    def _count(self) -> None:
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        self._credit -= 1
        if self._credit <= CREDIT // 2:
            self._give_credit()

    def _give_credit(self) -> None:
        self._credit = CREDIT
        self.session.send_flow(Flow(None, 0, 0, 0, self.handle, self._delivery_count, self._credit, drain=False))


class IncomingLink(TransferLink):
    """A sender's link to a queue or topic."""

    def start(self) -> None:
        bus = self.session.connection.shared.bus
        topic = isinstance(bus.target(self.path), Topic)
        own = bus.topic(self.path).max_message_kb if topic else bus.queue(self.path).max_message_kb
        limit = bus.limits.max_message_bytes
        self.max_message_size = limit if own is None else own * 1024
        self.accept()

    def deliver(self, assembly: Assembly, *, settled: bool) -> None:
        try:
            self._send(assembly)
        except (BusError, DecodeFault) as failure:
            if not settled:
                self.settle(assembly, failure)
            return
        if not settled:
            self.session.connection.shared.committer.after_commit(lambda failure: self.settle(assembly, failure))

    def _send(self, assembly: Assembly) -> None:
        if assembly.size > self.max_message_size:
            raise MessageTooLarge(
                f"The received message (delivery-id:{assembly.first.delivery_id}, size:{assembly.size} bytes) "
                f"exceeds the limit ({self.max_message_size} bytes) currently allowed on the link.",
            )
        messages = incoming(b"".join(assembly.chunks), assembly.first.message_format or 0)
        # Looked up each time: the entity may have been deleted, or made again, since the link was attached.
        self.session.connection.shared.bus.target(self.path).send(messages)
