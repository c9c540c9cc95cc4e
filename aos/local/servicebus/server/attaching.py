"""From an attach to the right kind of link: who may, which entity, in which direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.local.servicebus.amqp.errors import (
    INVALID_FIELD,
    NOT_ALLOWED,
    NOT_IMPLEMENTED,
    UNAUTHORIZED,
    LinkFault,
)
from aos.local.servicebus.amqp.performatives import RECEIVER
from aos.local.servicebus.amqp.terminus import Coordinator
from aos.local.servicebus.amqp.types import Described
from aos.local.servicebus.management.node import ManagementNode
from aos.local.servicebus.server.incoming_link import IncomingLink
from aos.local.servicebus.server.outgoing_link import QueueLink
from aos.local.servicebus.server.request_links import ReplyLink, RequestLink
from aos.local.servicebus.server.session_link import SessionLink
from aos.local.servicebus.server.token_node import TokenNode
from aos.local.servicebus.shared_access import path_of

if TYPE_CHECKING:
    from aos.local.servicebus.amqp.performatives import Attach
    from aos.local.servicebus.server.link import Link
    from aos.local.servicebus.server.session import Session

CBS = "$cbs"
MANAGEMENT_SUFFIX = "/$management"
SESSION_FILTER = "com.microsoft:session-filter"


def path_of_attach(attach: Attach) -> str:
    """The entity an attach is about; empty if it names none."""
    end = attach.source if attach.role is RECEIVER else attach.target
    address = getattr(end, "address", None)
    return path_of(address) if isinstance(address, str) else ""


def attach_link(session: Session, attach: Attach) -> Link:
    """The broker's end of the link that `attach` asks for.

    Raises:
        LinkFault: the link is refused.
        BusError: the engine refuses it.
    """
    if isinstance(attach.target, Coordinator):
        raise LinkFault(
            NOT_IMPLEMENTED,
            "Transactions are not supported by this emulator: send and settle without one.",
        )
    path = path_of_attach(attach)
    if not path:
        raise LinkFault(INVALID_FIELD, "The link names no entity: give its source or target an address.")
    if path == CBS:
        return _request_or_reply(session, attach, path, TokenNode(session.connection))
    _authorize(session, path)
    if path.lower().endswith(MANAGEMENT_SUFFIX):
        entity = path[: -len(MANAGEMENT_SUFFIX)]
        return _request_or_reply(session, attach, path, ManagementNode(session.connection, entity))
    if attach.role is RECEIVER:
        return _receiver(session, attach, path)
    return IncomingLink(session, attach, path)


def _request_or_reply(
    session: Session, attach: Attach, path: str, node: TokenNode | ManagementNode
) -> RequestLink | ReplyLink:
    if attach.role is RECEIVER:
        return ReplyLink(session, attach, path)
    node.check()
    return RequestLink(session, attach, path, node)


def _receiver(session: Session, attach: Attach, path: str) -> QueueLink | SessionLink:
    if attach.source is not None and attach.source.dynamic:
        raise LinkFault(NOT_IMPLEMENTED, "Dynamic nodes are not supported.")
    queue = session.connection.shared.bus.source(path)
    wanted = _session_filter(attach)
    if wanted is _ABSENT:
        if queue.requires_session:
            raise LinkFault(
                NOT_ALLOWED,
                f"It is not possible for an entity that requires sessions to create a non-sessionful message "
                f"receiver: accept a session of {path!r}.",
            )
        return QueueLink(session, attach, path, queue)
    if not queue.requires_session:
        raise LinkFault(
            NOT_ALLOWED,
            f"It is not possible to accept a session of {path!r}: the entity does not require sessions.",
        )
    return SessionLink(session, attach, path, queue, wanted)


_ABSENT: Any = object()


def _session_filter(attach: Attach) -> Any:
    filters = attach.source.filter if attach.source is not None else None
    if not filters or SESSION_FILTER not in filters:
        return _ABSENT
    value = filters[SESSION_FILTER]
    if isinstance(value, Described):
        value = value.value
    if value is not None and not isinstance(value, str):
        raise LinkFault(INVALID_FIELD, "A session id is a text.")
    return value


def _authorize(session: Session, path: str) -> None:
    shared = session.connection.shared
    now = shared.now()
    if not any(grant.covers(path, now) for grant in session.connection.grants.values()):
        raise LinkFault(
            UNAUTHORIZED,
            f"Unauthorized access. 'Listen' or 'Send' claims are required for {path!r}: put a token to $cbs first.",
        )
