"""One AMQP session: its windows, its links by handle, and the deliveries whose settlement is still to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.local.servicebus.amqp.errors import (
    HANDLE_IN_USE,
    NOT_ALLOWED,
    RESOURCE_LIMIT,
    UNATTACHED_HANDLE,
    AmqpFault,
    LinkFault,
    SessionFault,
)
from aos.local.servicebus.amqp.frames import encode_transfers
from aos.local.servicebus.amqp.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Transfer,
)
from aos.local.servicebus.amqp.terminus import error_of
from aos.local.servicebus.engine import BusError
from aos.local.servicebus.server.attaching import attach_link, path_of_attach

if TYPE_CHECKING:
    from collections.abc import Callable

    from aos.local.servicebus.amqp.composite import Composite
    from aos.local.servicebus.server.connection import Connection
    from aos.local.servicebus.server.link import Link
    from aos.local.servicebus.server.outgoing_link import OutgoingLink

INCOMING_WINDOW = 5_000
HANDLE_MAX = 9_999


class Session:
    """The broker's end of a session. The same channel number serves both directions."""

    def __init__(self, connection: Connection, channel: int, begin: Begin) -> None:
        self.connection = connection
        self.channel = channel
        self.ended = False
        self.links: dict[int, Link] = {}
        self.unsettled: dict[int, OutgoingLink] = {}
        self._next_incoming_id = begin.next_outgoing_id
        self._incoming_left = INCOMING_WINDOW
        self._next_outgoing_id = 0
        self._next_delivery_id = 0
        self._remote_window = begin.incoming_window
        connection.send(
            channel,
            Begin(
                remote_channel=channel,
                next_outgoing_id=0,
                incoming_window=INCOMING_WINDOW,
                outgoing_window=INCOMING_WINDOW,
                handle_max=HANDLE_MAX,
            ),
        )

    # From the peer

    def on_frame(self, body: Composite, payload: bytes) -> None:
        """Act on a frame of this session.

        Raises:
            SessionFault: the session cannot go on.
            AmqpFault: the connection cannot.
        """
        if self.ended:
            return
        if isinstance(body, Transfer):
            self._on_transfer(body, payload)
        elif isinstance(body, Disposition):
            self._on_disposition(body)
        elif isinstance(body, Flow):
            self._on_flow(body)
        elif isinstance(body, Attach):
            self._on_attach(body)
        elif isinstance(body, Detach):
            self._on_detach(body)
        else:
            raise AmqpFault(NOT_ALLOWED, f"{body.NAME} is not allowed in a session")

    def _on_attach(self, body: Attach) -> None:
        if body.handle > HANDLE_MAX:
            raise AmqpFault(RESOURCE_LIMIT, f"handle {body.handle} is over {HANDLE_MAX}")
        if body.handle in self.links:
            raise SessionFault(HANDLE_IN_USE, f"handle {body.handle} is in use")
        try:
            self.links[body.handle] = link = attach_link(self, body)
            link.start()
        except BusError as error:
            self.refuse(body, LinkFault(error.condition, error.message))
        except LinkFault as fault:
            self.refuse(body, fault)

    def _on_detach(self, body: Detach) -> None:
        link = self.links.pop(body.handle, None)
        if link is None:
            # The broker detached first, and this is the answer; or the link was refused.
            return
        link.dispose()
        if not link.detached:
            self.send(Detach(body.handle, body.closed if body.closed is not None else False, None))

    def _on_flow(self, body: Flow) -> None:
        if body.next_incoming_id is not None:
            in_flight = (self._next_outgoing_id - body.next_incoming_id) & 0xFFFFFFFF
            self._remote_window = max(0, body.incoming_window - in_flight)
        else:
            self._remote_window = body.incoming_window
        if body.handle is None:
            if body.echo:
                self.send_flow(Flow(None, 0, 0, 0))
            self.pump()
            return
        link = self.links.get(body.handle)
        if link is None:
            raise SessionFault(UNATTACHED_HANDLE, f"handle {body.handle} is not attached")
        self._guarded(link, lambda: link.on_flow(body))

    def _on_transfer(self, body: Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) & 0xFFFFFFFF
        self._incoming_left -= 1
        if self._incoming_left <= INCOMING_WINDOW // 2:
            self._incoming_left = INCOMING_WINDOW
            self.send_flow(Flow(None, 0, 0, 0))
        link = self.links.get(body.handle)
        if link is None:
            raise SessionFault(UNATTACHED_HANDLE, f"handle {body.handle} is not attached")
        self._guarded(link, lambda: link.on_transfer(body, payload))

    def _on_disposition(self, body: Disposition) -> None:
        if body.role is not RECEIVER:
            return
        for delivery_id in self._named(body):
            link = self.unsettled.get(delivery_id)
            if link is not None:
                link.on_disposition(delivery_id, body)

    def _named(self, body: Disposition) -> list[int]:
        last = body.first if body.last is None else body.last
        if last - body.first >= len(self.unsettled):
            # The range is the peer's to choose: walk what is there, not what it says.
            return [known for known in self.unsettled if body.first <= known <= last]
        return list(range(body.first, last + 1))

    def _guarded(self, link: Link, act: Callable[[], None]) -> None:
        if link.detached:
            return
        try:
            act()
        except BusError as error:
            self.detach(link, LinkFault(error.condition, error.message))
        except LinkFault as fault:
            self.detach(link, fault)

    # To the peer

    def send(self, body: Composite) -> None:
        self.connection.send(self.channel, body)

    def send_flow(self, flow: Flow) -> None:
        """Send a flow, with the session's part of it filled in."""
        flow.next_incoming_id = self._next_incoming_id
        flow.incoming_window = self._incoming_left
        flow.next_outgoing_id = self._next_outgoing_id
        flow.outgoing_window = INCOMING_WINDOW
        self.send(flow)

    @property
    def open_to_send(self) -> bool:
        """Whether the peer's window and the socket's buffer have room."""
        return self._remote_window > 0 and self.connection.writable and self.connection.alive

    def transfer(self, transfer: Transfer, payload: bytes) -> int:
        """Send one delivery under a fresh id, which is returned."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = (delivery_id + 1) & 0xFFFFFFFF
        transfer.delivery_id = delivery_id
        frames = encode_transfers(transfer, self.channel, payload, self.connection.max_frame_size)
        self._next_outgoing_id = (self._next_outgoing_id + len(frames)) & 0xFFFFFFFF
        self._remote_window = max(0, self._remote_window - len(frames))
        self.connection.send_frames(frames)
        return delivery_id

    def refuse(self, attach: Attach, fault: LinkFault) -> None:
        """Answer an attach with no, as the protocol wants it: an attach without ends, then a detach."""
        self.links.pop(attach.handle, None)
        self.send(
            Attach(
                name=attach.name,
                handle=attach.handle,
                role=not attach.role,
                initial_delivery_count=0 if attach.role is RECEIVER else None,
            )
        )
        self.send(Detach(attach.handle, True, error_of(fault.condition, fault.description, fault.info)))

    def detach(self, link: Link, fault: LinkFault) -> None:
        """End a link with an error. Its handle stays taken until the peer answers."""
        if link.detached:
            return
        link.detached = True
        link.dispose()
        self.send(Detach(link.handle, True, error_of(fault.condition, fault.description, fault.info)))

    def pump(self) -> None:
        """Let every link send what waited for room."""
        for link in list(self.links.values()):
            if not self.open_to_send:
                return
            self._guarded(link, link.pump)

    def dispose(self) -> None:
        """Let go of everything; nothing is sent."""
        links, self.links = self.links, {}
        for link in links.values():
            link.dispose()
        self.unsettled.clear()

    # For injected faults

    def path_in(self, attach: Attach) -> str:
        return path_of_attach(attach)

    def point_of(self, handle: int, operation: str) -> tuple[str, str] | None:
        link = self.links.get(handle)
        return None if link is None else (link.path, link.operation or operation)

    def settled_by(self, body: Disposition) -> tuple[str, str] | None:
        link = self.unsettled.get(body.first)
        return None if link is None or body.role is SENDER else (link.path, "settle")
