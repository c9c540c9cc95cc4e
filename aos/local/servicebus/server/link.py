"""What every link of the broker has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.local.servicebus.amqp.errors import NOT_ALLOWED, LinkFault

if TYPE_CHECKING:
    from aos.local.servicebus.amqp.performatives import Attach, Flow, Transfer
    from aos.local.servicebus.server.session import Session


class Link:
    """One end of a link.

    Attributes:
        path: The entity's path.
        operation: What frames of this link do, where that is not plain sending or receiving.
        detached: The broker has ended it; the peer's answer may still come.
    """

    operation: str | None = None

    def __init__(self, session: Session, attach: Attach, path: str) -> None:
        self.session = session
        self.attach = attach
        self.handle = attach.handle
        self.name = attach.name
        self.path = path
        self.detached = False

    def start(self) -> None:
        """Answer the attach, now or when the link can be had."""
        raise NotImplementedError

    def on_flow(self, flow: Flow) -> None:
        """The peer's credit or wish for news."""

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:  # noqa: ARG002
        raise LinkFault(NOT_ALLOWED, "nothing can be sent on a link that receives")

    def pump(self) -> None:
        """Send what waited for room."""

    def dispose(self) -> None:
        """Let go of what the link holds in the engine; nothing is sent."""
