"""Requests to `$cbs` and `$management`: a pair of links, and replies matched to who asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from aos.local.servicebus.amqp.errors import DecodeFault
from aos.local.servicebus.amqp.message import (
    APPLICATION_PROPERTIES,
    VALUE,
    Properties,
    Sections,
    body_sections,
    encode_message,
    value_section,
)
from aos.local.servicebus.amqp.performatives import RECEIVER, SENDER, Attach, Flow, Transfer
from aos.local.servicebus.amqp.terminus import Source, Target
from aos.local.servicebus.client.errors import ConnectionLost
from aos.local.servicebus.client.link import ClientLink
from aos.local.servicebus.client.refusals import refusal

if TYPE_CHECKING:
    from aos.kernel.errors import AosError
    from aos.local.servicebus.client.connection import ClientConnection

_CREDIT = 1_000


class _Replies(ClientLink):
    def __init__(self, connection: ClientConnection, node: str, name: str) -> None:
        super().__init__(
            connection,
            Attach(
                name=f"{name}:replies",
                handle=connection.next_handle(),
                role=RECEIVER,
                source=Source(address=node),
                target=Target(address=name),
            ),
        )
        self.waiting: dict[UUID, asyncio.Future[Sections]] = {}
        self._received = 0
        self._chunks: list[bytes] = []

    def give_credit(self) -> None:
        self.connection.send_flow(Flow(None, 0, 0, 0, self.handle, self._received, _CREDIT))

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        self._chunks.append(payload)
        if transfer.more:
            return
        sections = Sections(b"".join(self._chunks))
        self._chunks = []
        self._received = (self._received + 1) & 0xFFFFFFFF
        if self._received % (_CREDIT // 2) == 0:
            self.give_credit()
        properties = sections.properties() or Properties()
        answer = self.waiting.pop(properties.correlation_id, None)
        if answer is not None and not answer.done():
            answer.set_result(sections)

    def fail(self, error: AosError) -> None:
        super().fail(error)
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(error)


class Requester:
    """Asks one node and waits for its answers; any number at once."""

    def __init__(self, connection: ClientConnection, node: str) -> None:
        self._connection = connection
        self._name = f"{node}:{uuid4().hex[:12]}"
        self._replies = _Replies(connection, node, self._name)
        self._requests = ClientLink(
            connection,
            Attach(
                name=f"{self._name}:requests",
                handle=connection.next_handle(),
                role=SENDER,
                source=Source(address=self._name),
                target=Target(address=node),
                initial_delivery_count=0,
            ),
        )
        connection.add(self._replies)
        connection.add(self._requests)

    @property
    def usable(self) -> bool:
        return not (self._replies.closed or self._requests.closed)

    async def open(self, wait: float) -> None:
        """Attach both links. Raises what the broker refuses with."""
        await asyncio.gather(self._replies.open(wait), self._requests.open(wait))
        self._replies.give_credit()

    async def ask(self, body: Any, properties: dict[Any, Any], wait: float) -> tuple[dict[Any, Any], Any]:
        """Send a request; the reply's application properties and its value.

        Raises:
            ConnectionLost: no answer came.
        """
        if not self.usable:
            raise self._replies.failure or ConnectionLost("The link for requests is closed.")
        message_id = uuid4()
        answer: asyncio.Future[Sections] = asyncio.get_running_loop().create_future()
        self._replies.waiting[message_id] = answer
        payload = encode_message(
            value_section(body),
            properties=Properties(message_id=message_id, reply_to=self._name),
            application_properties=properties,
        )
        self._connection.transfer(
            Transfer(self._requests.handle, None, message_id.bytes, 0, True, False),
            payload,
        )
        try:
            async with asyncio.timeout(wait):
                sections = await answer
        except TimeoutError:
            raise ConnectionLost("The broker did not answer a request in time: connect again.") from None
        finally:
            self._replies.waiting.pop(message_id, None)
        return sections.map(APPLICATION_PROPERTIES), _value(sections)

    async def manage(self, operation: str, body: dict[str, Any], wait: float) -> dict[str, Any]:
        """A `$management` operation; the map in its reply.

        Raises:
            AosError: the broker refuses, in the class that says why.
        """
        properties, value = await self.ask(body, {"operation": f"com.microsoft:{operation}"}, wait)
        status = properties.get("statusCode", 500)
        if not 200 <= status < 300:
            condition = str(properties.get("errorCondition", "amqp:internal-error"))
            raise refusal(condition, properties.get("statusDescription"))
        return value if isinstance(value, dict) else {}


def _value(sections: Sections) -> Any:
    try:
        bodies = body_sections(sections.body)
    except DecodeFault:
        return None
    return bodies[0][1] if bodies and bodies[0][0] == VALUE else None
