"""Requests and replies: the pair of links on which `$cbs` and `$management` are spoken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aos.kernel.errors import AosError
from aos.local.servicebus.amqp.errors import MESSAGE_SIZE_EXCEEDED, RESOURCE_LIMIT, DecodeFault, LinkFault
from aos.local.servicebus.amqp.message import (
    APPLICATION_PROPERTIES,
    VALUE,
    Properties,
    Sections,
    body_sections,
    encode_message,
    value_section,
)
from aos.local.servicebus.amqp.performatives import SENDER, Attach, Flow, Transfer
from aos.local.servicebus.server.incoming_link import Assembly, TransferLink
from aos.local.servicebus.server.link import Link

if TYPE_CHECKING:
    from aos.local.servicebus.server.session import Session

MAX_WAITING_REPLIES = 1_000


@dataclass(slots=True)
class Request:
    """One request. `link_name` is the link it says it belongs to."""

    operation: str
    body: Any
    application_properties: dict[Any, Any]
    message_id: Any = None
    reply_to: Any = None

    @property
    def link_name(self) -> str | None:
        name = self.application_properties.get("associated-link-name")
        return name if isinstance(name, str) else None


@dataclass(slots=True)
class Reply:
    """One reply; `application_properties` carry its status."""

    application_properties: dict[Any, Any]
    body: Any = None
    correlation_id: Any = None


class Node(Protocol):
    """Answers requests."""

    def check(self) -> None:
        """Raise LinkFault or BusError if there is no such node."""
        ...

    def answer(self, request: Request) -> Reply: ...

    def failed(self, failure: AosError) -> Reply:
        """The reply for what could not be made safe."""
        ...


class RequestLink(TransferLink):
    """The link on which requests come."""

    operation = "management"

    def __init__(self, session: Session, attach: Attach, path: str, node: Node) -> None:
        super().__init__(session, attach, path)
        self._node = node
        # A message to schedule travels inside of a request.
        self.max_message_size = session.connection.shared.bus.limits.max_message_bytes + 64 * 1024

    def start(self) -> None:
        self.accept()

    def deliver(self, assembly: Assembly, *, settled: bool) -> None:
        if assembly.size > self.max_message_size:
            raise LinkFault(MESSAGE_SIZE_EXCEEDED, f"a request of {assembly.size} bytes is too large")
        try:
            request = read_request(b"".join(assembly.chunks))
        except DecodeFault as fault:
            if not settled:
                self.settle(assembly, fault)
            return
        if not settled:
            self.settle(assembly, None)
        reply = self._node.answer(request)
        reply.correlation_id = request.message_id
        self.session.connection.shared.committer.after_commit(lambda failure: self._reply(request, reply, failure))

    def _reply(self, request: Request, reply: Reply, failure: AosError | None) -> None:
        if failure is not None:
            reply = self._node.failed(failure)
            reply.correlation_id = request.message_id
        link = self._reply_link(request)
        if link is not None:
            link.send(reply)

    def _reply_link(self, request: Request) -> ReplyLink | None:
        links = [
            link
            for link in self.session.links.values()
            if isinstance(link, ReplyLink) and link.path.lower() == self.path.lower()
        ]
        for link in links:
            if request.reply_to is not None and link.target_address == request.reply_to:
                return link
        return links[-1] if links else None


class ReplyLink(Link):
    """The link on which replies go back."""

    operation = "management"

    def __init__(self, session: Session, attach: Attach, path: str) -> None:
        super().__init__(session, attach, path)
        self._credit = 0
        self._delivery_count = 0
        self._waiting: deque[Reply] = deque()

    @property
    def target_address(self) -> Any:
        return getattr(self.attach.target, "address", None)

    def start(self) -> None:
        attach = self.attach
        self.session.send(
            Attach(
                name=attach.name,
                handle=self.handle,
                role=SENDER,
                snd_settle_mode=attach.snd_settle_mode,
                rcv_settle_mode=attach.rcv_settle_mode,
                source=attach.source,
                target=attach.target,
                initial_delivery_count=0,
            )
        )

    def on_flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            ahead = (self._delivery_count - (flow.delivery_count or 0)) & 0xFFFFFFFF
            self._credit = max(0, flow.link_credit - ahead)
        self.pump()
        if flow.drain:
            self._delivery_count = (self._delivery_count + self._credit) & 0xFFFFFFFF
            self._credit = 0
            self.session.send_flow(Flow(None, 0, 0, 0, self.handle, self._delivery_count, 0, 0, True))

    def send(self, reply: Reply) -> None:
        """Send a reply, or keep it until there is credit."""
        if self.detached:
            return
        if len(self._waiting) >= MAX_WAITING_REPLIES:
            self.session.detach(self, LinkFault(RESOURCE_LIMIT, "too many replies wait for credit"))
            return
        self._waiting.append(reply)
        self.pump()

    def pump(self) -> None:
        while self._waiting and self._credit > 0 and self.session.open_to_send:
            reply = self._waiting.popleft()
            self._credit -= 1
            self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
            payload = encode_message(
                value_section(reply.body),
                properties=Properties(correlation_id=reply.correlation_id),
                application_properties=reply.application_properties,
            )
            tag = self._delivery_count.to_bytes(4, "big")
            transfer = Transfer(self.handle, None, tag, 0, True, False)
            self.session.transfer(transfer, payload)

    def dispose(self) -> None:
        self._waiting.clear()


def read_request(payload: bytes) -> Request:
    """A request out of a message.

    Raises:
        DecodeFault: the message is none.
    """
    sections = Sections(payload)
    properties = sections.properties() or Properties()
    application = sections.map(APPLICATION_PROPERTIES)
    operation = application.get("operation")
    bodies = body_sections(sections.body)
    return Request(
        operation=operation if isinstance(operation, str) else "",
        body=bodies[0][1] if bodies and bodies[0][0] == VALUE else None,
        application_properties=application,
        message_id=properties.message_id,
        reply_to=properties.reply_to,
    )
