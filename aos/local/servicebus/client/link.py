"""The client's end of a link: attached, detached, failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aos.local.servicebus.amqp.performatives import Attach, Detach
from aos.local.servicebus.client.errors import ConnectionLost
from aos.local.servicebus.client.refusals import refusal_of

if TYPE_CHECKING:
    from aos.kernel.errors import AosError
    from aos.local.servicebus.amqp.performatives import Flow, Transfer
    from aos.local.servicebus.client.connection import ClientConnection

_DETACH_WAIT = 5.0


class ClientLink:
    """One link of a connection. `failure` is why it ended, if not by `close`."""

    def __init__(self, connection: ClientConnection, attach: Attach) -> None:
        self.connection = connection
        self.name = attach.name
        self.handle = attach.handle
        self.failure: AosError | None = None
        self.closed = False
        self._attach = attach
        self._attached: asyncio.Future[Attach] = asyncio.get_running_loop().create_future()
        self._detached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._detach_sent = False

    async def open(self, wait: float) -> Attach:
        """Attach, and wait for the broker's answer.

        Raises:
            AosError: the broker refuses, in the class that says why.
            ConnectionLost: the connection is gone, or the broker does not answer within `wait` seconds.
        """
        self.connection.send(self._attach)
        try:
            async with asyncio.timeout(wait):
                return await self._attached
        except TimeoutError:
            self.detach()
            raise ConnectionLost(f"The broker did not answer within {wait:g} seconds: connect again.") from None
        except asyncio.CancelledError:
            self.detach()
            raise

    def detach(self) -> None:
        """Say that the link is over, without waiting for the answer."""
        self.closed = True
        if not self._detach_sent:
            self._detach_sent = True
            self.connection.send(Detach(self.handle, True, None))

    async def close(self) -> None:
        """Detach and wait for the answer; at once if the link or the connection is gone."""
        if self._detached.done() or self.connection.failure is not None:
            self.closed = True
            return
        self.detach()
        try:
            async with asyncio.timeout(_DETACH_WAIT):
                await asyncio.shield(self._detached)
        except TimeoutError:
            self.connection.fail(ConnectionLost("The broker did not answer a detach: connect again."))

    def fail(self, error: AosError) -> None:
        """The link is gone for this reason; everybody who waits on it is told."""
        if self.failure is None and not self._detach_sent:
            self.failure = error
        self.closed = True
        if not self._attached.done():
            self._attached.set_exception(error)
            # Whoever opened the link may have given up on it.
            self._attached.exception()
        if not self._detached.done():
            self._detached.set_result(None)

    # From the broker

    def on_attach(self, attach: Attach) -> None:
        # An attach without ends is the beginning of a refusal: the detach that follows says why.
        ends = attach.source is not None and attach.target is not None
        if ends and not self._attached.done():
            self._attached.set_result(attach)

    def on_detach(self, detach: Detach) -> None:
        if self._detach_sent:
            self.fail(ConnectionLost("The link is closed."))
        else:
            self.fail(refusal_of(detach.error))
            self._detach_sent = True
            self.connection.send(Detach(self.handle, True, None))
        self.connection.forget(self)

    def on_flow(self, flow: Flow) -> None:
        """The broker's credit, or its answer to a drain."""

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A delivery, or a part of one."""
