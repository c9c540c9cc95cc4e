"""A link on which the peer receives: credit turned into deliveries, and their settlement handed to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.kernel.errors import AosError
from aos.local.servicebus.amqp.errors import INTERNAL_ERROR, NOT_IMPLEMENTED, LinkFault
from aos.local.servicebus.amqp.performatives import SENDER, Attach, Disposition, Flow, Transfer
from aos.local.servicebus.amqp.terminus import (
    Accepted,
    Modified,
    Rejected,
    Released,
    TransactionalState,
    error_of,
)
from aos.local.servicebus.engine import BusError, InvalidArgument, ReceiveMode
from aos.local.servicebus.server.link import Link
from aos.local.servicebus.server.translation import outgoing, property_values

if TYPE_CHECKING:
    from aos.local.servicebus.amqp.terminus import Source
    from aos.local.servicebus.engine import Delivery, Queue, SessionReceiver, Waiter
    from aos.local.servicebus.server.session import Session

SETTLED = 1
# How many messages are taken from the engine before the room for more is looked at again.
_PORTION = 8
_REASON = "DeadLetterReason"
_DESCRIPTION = "DeadLetterErrorDescription"


class OutgoingLink(Link):
    """The sending end of a link, with its credit and the deliveries that are not settled."""

    def __init__(self, session: Session, attach: Attach, path: str) -> None:
        super().__init__(session, attach, path)
        self._credit = 0
        self._delivery_count = 0
        self._drain = False
        self._unsettled: dict[int, Delivery] = {}
        self._presettled = attach.snd_settle_mode == SETTLED
        self._waiter: Waiter | None = None
        self._mode = ReceiveMode.RECEIVE_AND_DELETE if self._presettled else ReceiveMode.PEEK_LOCK
        self._pumping = False

    # What the engine side of the link is

    def receiver(self) -> Queue | SessionReceiver | None:
        """Where to receive and settle; None while there is nothing to receive from."""
        raise NotImplementedError

    def accept(self, source: Source | None, properties: dict[Any, Any] | None = None) -> None:
        """Answer the attach with yes. Source and address go back as they came."""
        attach = self.attach
        self.session.send(
            Attach(
                name=attach.name,
                handle=self.handle,
                role=SENDER,
                snd_settle_mode=attach.snd_settle_mode,
                rcv_settle_mode=attach.rcv_settle_mode,
                source=source,
                target=attach.target,
                initial_delivery_count=0,
                max_message_size=self.session.connection.shared.bus.limits.max_message_bytes,
                properties=properties,
            )
        )

    # Credit

    def on_flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            counted = flow.delivery_count if flow.delivery_count is not None else 0
            ahead = (self._delivery_count - counted) & 0xFFFFFFFF
            self._credit = max(0, flow.link_credit - ahead) if ahead < 0x80000000 else flow.link_credit
        self._drain = bool(flow.drain)
        self.pump()
        if self._drain:
            self._drained()
        elif flow.echo:
            self._tell()

    def pump(self) -> None:
        """Send what is ready, as far as credit and room go; then wait for more."""
        if self._pumping:
            return
        self._pumping = True
        try:
            self._pump()
        finally:
            self._pumping = False

    def _pump(self) -> None:
        receiver = self.receiver()
        if receiver is None:
            return
        while self._credit > 0 and self.session.open_to_send:
            portion = min(self._credit, _PORTION)
            deliveries = receiver.receive(portion, self._mode)
            for delivery in deliveries:
                self._deliver(delivery)
            if len(deliveries) < portion:
                break
        self._wait(receiver)

    def _wait(self, receiver: Queue | SessionReceiver) -> None:
        wanted = self._credit > 0 and not self._drain and self.session.open_to_send and not self.detached
        if not wanted:
            self._stop_waiting()
        elif self._waiter is None:
            self._waiter = receiver.when_ready(self._on_ready)

    def _on_ready(self) -> None:
        self._waiter = None
        try:
            self.pump()
        except BusError as error:
            self.end(error)

    def _stop_waiting(self) -> None:
        if self._waiter is not None:
            self._waiter.cancel()
            self._waiter = None

    def end(self, error: BusError) -> None:
        """Detach because the engine will not go on."""
        self.session.detach(self, LinkFault(error.condition, error.message))

    def _deliver(self, delivery: Delivery) -> None:
        self._credit -= 1
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        transfer = Transfer(
            handle=self.handle,
            delivery_tag=delivery.lock_token or self._delivery_count.to_bytes(16, "big"),
            message_format=0,
            settled=self._presettled,
            more=False,
        )
        delivery_id = self.session.transfer(transfer, outgoing(delivery.message, delivery))
        if not self._presettled:
            self._unsettled[delivery_id] = delivery
            self.session.unsettled[delivery_id] = self

    def _drained(self) -> None:
        self._delivery_count = (self._delivery_count + self._credit) & 0xFFFFFFFF
        self._credit = 0
        self._stop_waiting()
        self._tell()
        self._drain = False

    def _tell(self) -> None:
        self.session.send_flow(
            Flow(None, 0, 0, 0, self.handle, self._delivery_count, self._credit, 0, self._drain, False)
        )

    # Settlement

    def on_disposition(self, delivery_id: int, disposition: Disposition) -> None:
        """Settle one delivery as the peer says, and confirm it once it is safe."""
        state = disposition.state
        if state is None and not disposition.settled:
            return
        delivery = self._unsettled.pop(delivery_id)
        self.session.unsettled.pop(delivery_id, None)
        answer = not disposition.settled
        try:
            self._settle(delivery, state)
        except BusError as error:
            if answer:
                self._confirm(delivery_id, Rejected(error_of(error.condition, error.message)))
            return
        echo = Rejected(None) if isinstance(state, Rejected) else (state or Accepted())
        if answer:
            self.session.connection.shared.committer.after_commit(
                lambda failure: self._confirm(delivery_id, echo if failure is None else _refusal(failure))
            )

    def _confirm(self, delivery_id: int, state: Any) -> None:
        self.session.send(Disposition(SENDER, delivery_id, delivery_id, True, state))

    def _settle(self, delivery: Delivery, state: Any) -> None:
        receiver = self.receiver()
        if receiver is None:
            return
        token = delivery.lock_token
        if isinstance(state, Accepted):
            receiver.complete(token)
        elif isinstance(state, Rejected):
            _dead_letter(receiver, token, state)
        elif isinstance(state, Modified) and (state.delivery_failed or state.undeliverable_here):
            properties = property_values(state.message_annotations or {})
            if state.undeliverable_here:
                receiver.defer(token, properties)
            else:
                receiver.abandon(token, properties)
        elif isinstance(state, TransactionalState):
            raise _unsupported("Transactions are not supported by this emulator.")
        elif isinstance(state, (Released, Modified)) or state is None:
            receiver.release(token)
        else:
            raise InvalidArgument("The outcome of a disposition is not one that settles a message.")

    def forget_unsettled(self) -> None:
        for delivery_id in self._unsettled:
            self.session.unsettled.pop(delivery_id, None)
        self._unsettled.clear()

    def dispose(self) -> None:
        self._stop_waiting()
        self.forget_unsettled()


class QueueLink(OutgoingLink):
    """A receiver of a queue or subscription without sessions. Its locks outlive the link, as the service's do."""

    def __init__(self, session: Session, attach: Attach, path: str, queue: Queue) -> None:
        super().__init__(session, attach, path)
        self._queue = queue

    def receiver(self) -> Queue:
        return self._queue

    def start(self) -> None:
        self.accept(self.attach.source)


def _dead_letter(receiver: Queue | SessionReceiver, token: bytes, state: Rejected) -> None:
    info = dict(state.error.info or {}) if state.error is not None else {}
    reason, description = info.pop(_REASON, None), info.pop(_DESCRIPTION, None)
    if description is None and state.error is not None:
        description = state.error.description
    receiver.dead_letter(
        token,
        None if reason is None else str(reason),
        None if description is None else str(description),
        property_values(info),
    )


def _refusal(failure: AosError) -> Rejected:
    return Rejected(error_of(getattr(failure, "condition", INTERNAL_ERROR), failure.message))


def _unsupported(text: str) -> BusError:
    error = InvalidArgument(text)
    error.condition = NOT_IMPLEMENTED
    return error
