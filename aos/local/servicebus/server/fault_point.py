"""What a frame is about to do, in the words in which tests ask for faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.local.servicebus.amqp.frames import ProtocolHeader
from aos.local.servicebus.amqp.performatives import Attach, Disposition, Flow, Open, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aos.local.servicebus.amqp.frames import Frame
    from aos.local.servicebus.server.session import Session


def fault_point(sessions: Mapping[int, Session], item: Frame | ProtocolHeader) -> tuple[str, str] | None:
    """The entity's path, empty for none, and the operation.

    Operations are `open`, `attach`, `send`, `receive`, `settle` and `management`.
    """
    if isinstance(item, ProtocolHeader) or item.body is None:
        return None
    body = item.body
    if isinstance(body, Open):
        return "", "open"
    session = sessions.get(item.channel)
    if session is None:
        return None
    if isinstance(body, Attach):
        return session.path_in(body), "attach"
    if isinstance(body, Transfer):
        return session.point_of(body.handle, "send")
    if isinstance(body, Flow):
        return None if body.handle is None else session.point_of(body.handle, "receive")
    if isinstance(body, Disposition):
        return session.settled_by(body)
    return None
