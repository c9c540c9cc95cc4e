"""One connection to the broker that serves any number of sessions and queues."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

from aos.kernel.errors import AosError, NotAllowedNow
from aos.local.servicebus.amqp.types import Symbol, UInt
from aos.local.servicebus.client.connection import ClientConnection
from aos.local.servicebus.client.errors import AuthenticationFailed, ConnectionLost, RequestRefused
from aos.local.servicebus.client.receivers import LinkEntityReceiver, LinkSessionReceiver
from aos.local.servicebus.client.receiving import ReceivingLink
from aos.local.servicebus.client.refusals import TIMEOUT
from aos.local.servicebus.client.requests import Requester
from aos.local.servicebus.client.sending import SendingLink
from aos.local.servicebus.connection_string import ConnectionString
from aos.local.servicebus.shared_access import sign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from aos.local.servicebus.client.contract import Mode, OutgoingMessage

_FILTER = Symbol("com.microsoft:session-filter")
_TIMEOUT = Symbol("com.microsoft:timeout")
_ANSWER_WAIT = 10.0
_TOKEN_LIFE = 3600
_TOKEN_RENEWAL = 0.75
_MAX_UINT = 0xFFFFFFFF
T = TypeVar("T")


def _usable(task: asyncio.Task[T], check: Callable[[T], bool]) -> bool:
    return not task.cancelled() and task.exception() is None and check(task.result())


class MultiplexedReceiver:
    """Receives from this project's broker over one connection. An asynchronous context manager.

    It does not reconnect: when `closed`, make another. Implements `Multiplexer`.
    """

    def __init__(self, connection_string: str, *, container_id: str | None = None) -> None:
        self._target = ConnectionString.parse(connection_string)
        self._container_id = container_id or f"aos-receiver-{uuid4().hex[:12]}"
        self._connection: ClientConnection | None = None
        self._requesters: dict[str, asyncio.Task[Requester]] = {}
        self._senders: dict[str, asyncio.Task[SendingLink]] = {}
        self._renewal: asyncio.Task[None] | None = None

    @classmethod
    def connect(cls, connection_string: str, *, container_id: str | None = None) -> MultiplexedReceiver:
        """`async with MultiplexedReceiver.connect(connection_string) as receiver: ...`."""
        return cls(connection_string, container_id=container_id)

    async def open(self) -> None:
        """Connect and show the key.

        Raises:
            ConnectionLost: nobody answers.
            AuthenticationFailed: the broker does not know the key.
        """
        if self._connection is not None:
            raise NotAllowedNow("The receiver was opened before: make another.")
        self._connection = await ClientConnection.to(
            self._target.host, self._target.port, container_id=self._container_id, wait=_ANSWER_WAIT
        )
        try:
            await self._put_token()
        except BaseException:
            await self._connection.close()
            raise
        self._renewal = asyncio.get_running_loop().create_task(self._renew_token())

    @property
    def closed(self) -> bool:
        return self._connection is None or self._connection.failure is not None

    async def wait_closed(self) -> None:
        """Return once the connection is gone."""
        if self._connection is not None:
            await self._connection.wait_gone()

    async def close(self) -> None:
        """Close the connection; the sessions held on it are given back."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
        if self._connection is not None:
            await self._connection.close()
        opening = [*self._requesters.values(), *self._senders.values()]
        await asyncio.gather(*opening, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # Receivers

    async def accept_next_session(
        self,
        entity: str,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - the broker keeps the time
        mode: Mode = "peek-lock",
    ) -> LinkSessionReceiver | None:
        """Lock a session that has messages and no holder; None when none came within `timeout` seconds."""
        properties = {_TIMEOUT: UInt(min(_MAX_UINT, max(0, int(timeout * 1000))))}
        try:
            return await self._session(entity, None, mode, properties, timeout + _ANSWER_WAIT)
        except RequestRefused as refused:
            if refused.details.get("condition") == TIMEOUT:
                return None
            raise

    async def accept_session(self, entity: str, session_id: str, *, mode: Mode = "peek-lock") -> LinkSessionReceiver:
        """Lock one session. Raises `SessionCannotBeLocked` while another receiver holds it."""
        return await self._session(entity, session_id, mode, None, _ANSWER_WAIT)

    async def receiver(self, entity: str, *, prefetch: int = 0, mode: Mode = "peek-lock") -> LinkEntityReceiver:
        """A receiver of an entity without sessions."""
        connection = self._alive()
        link = ReceivingLink(connection, f"{entity}:{uuid4().hex}", entity, mode=mode, prefetch=prefetch)
        connection.add(link)
        await link.open(_ANSWER_WAIT)
        return LinkEntityReceiver(self, link)

    async def _session(
        self, entity: str, wanted: str | None, mode: Mode, properties: dict[Any, Any] | None, wait: float
    ) -> LinkSessionReceiver:
        connection = self._alive()
        link = ReceivingLink(
            connection,
            f"{entity}:{uuid4().hex}",
            entity,
            mode=mode,
            filters={_FILTER: wanted},
            properties=properties,
        )
        connection.add(link)
        return LinkSessionReceiver(self, link, await link.open(wait))

    # Sending and requests

    async def send(self, entity: str, messages: Sequence[OutgoingMessage]) -> None:
        """Send messages in order, in batches; returns when the broker has accepted all."""
        kept = self._senders.get(entity)
        if kept is None or (kept.done() and not _usable(kept, lambda link: not link.closed)):
            kept = self._senders[entity] = asyncio.create_task(self._open_sender(entity))
        link = await asyncio.shield(kept)
        await link.send(messages)

    async def manage(self, entity: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """One operation of the entity's management node."""
        requester = await self._requester(f"{entity}/$management")
        return await requester.manage(operation, body, _ANSWER_WAIT)

    async def _requester(self, node: str) -> Requester:
        kept = self._requesters.get(node)
        if kept is None or (kept.done() and not _usable(kept, lambda requester: requester.usable)):
            kept = self._requesters[node] = asyncio.create_task(self._open_requester(node))
        return await asyncio.shield(kept)

    async def _open_requester(self, node: str) -> Requester:
        requester = Requester(self._alive(), node)
        await requester.open(_ANSWER_WAIT)
        return requester

    async def _open_sender(self, entity: str) -> SendingLink:
        connection = self._alive()
        link = SendingLink(connection, entity)
        connection.add(link)
        await link.open(_ANSWER_WAIT)
        return link

    # Tokens

    async def _put_token(self) -> None:
        target = self._target
        audience = f"sb://{target.host}:{target.port}/"
        token = sign(audience, target.key_name, target.key, int(time.time()) + _TOKEN_LIFE)
        requester = await self._requester("$cbs")
        properties = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience}
        reply, _ = await requester.ask(token, properties, _ANSWER_WAIT)
        status = reply.get("status-code", 500)
        if not 200 <= status < 300:
            raise AuthenticationFailed(
                f"The broker at {target.host}:{target.port} refuses the key: {reply.get('status-description')}"
            )

    async def _renew_token(self) -> None:
        while not self.closed:
            await asyncio.sleep(_TOKEN_LIFE * _TOKEN_RENEWAL)
            try:
                await self._put_token()
            except AosError as error:
                if self._connection is not None:
                    self._connection.fail(error)

    def _alive(self) -> ClientConnection:
        connection = self._connection
        if connection is None:
            raise NotAllowedNow("The receiver is not open: use it as a context manager, or await open().")
        if connection.failure is not None:
            raise ConnectionLost(f"The connection is gone ({connection.failure.message}): connect again.")
        return connection
