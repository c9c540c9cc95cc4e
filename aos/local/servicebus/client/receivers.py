"""The two receivers a caller holds: of a session, and of an entity without sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aos.local.servicebus.amqp.encode import encode
from aos.local.servicebus.amqp.types import Array, Timestamp
from aos.local.servicebus.client.receiving import (
    ReceivingLink,
    abandoned,
    accepted,
    dead_lettered,
    deferred,
    released,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aos.local.servicebus.amqp.performatives import Attach
    from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
    from aos.local.servicebus.client.received import ReceivedMessage

_UUID_CODE = 0x98
_TICKS_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


class LinkReceiver:
    """What both have in common: receiving and settling on one link."""

    def __init__(self, owner: MultiplexedReceiver, link: ReceivingLink) -> None:
        self._owner = owner
        self._link = link

    @property
    def entity(self) -> str:
        return self._link.entity

    @property
    def closed(self) -> bool:
        return self._link.closed

    async def receive(self, max_messages: int = 1, wait: float | None = None) -> list[ReceivedMessage]:
        """Wait up to `wait` seconds for a first message; see `Settler.receive`."""
        return await self._link.receive(max_messages, wait)

    async def complete(self, messages: Sequence[ReceivedMessage]) -> None:
        """Take messages out of the entity: they are done with."""
        await self._link.settle(messages, accepted())

    async def abandon(
        self, messages: Sequence[ReceivedMessage], *, properties: Mapping[str, Any] | None = None
    ) -> None:
        """Give messages back at once; the delivery counts."""
        await self._link.settle(messages, abandoned(properties))

    async def release(self, messages: Sequence[ReceivedMessage]) -> None:
        """Give messages back as if they had not been delivered."""
        await self._link.settle(messages, released())

    async def defer(self, messages: Sequence[ReceivedMessage]) -> None:
        """Put messages aside, to be received by their sequence numbers only."""
        await self._link.settle(messages, deferred())

    async def dead_letter(
        self, messages: Sequence[ReceivedMessage], *, reason: str = "", description: str = ""
    ) -> None:
        """Move messages to the dead-letter queue."""
        await self._link.settle(messages, dead_lettered(reason, description))

    async def close(self) -> None:
        """Stop receiving and give back what is locked."""
        await self._link.close()


class LinkSessionReceiver(LinkReceiver):
    """A session that is held; see `SessionReceiver`."""

    def __init__(self, owner: MultiplexedReceiver, link: ReceivingLink, attach: Attach) -> None:
        super().__init__(owner, link)
        filters = (attach.source.filter if attach.source is not None else None) or {}
        ticks = (attach.properties or {}).get("com.microsoft:locked-until-utc", 0)
        self._session_id = str(filters.get("com.microsoft:session-filter", ""))
        self._locked_until = _TICKS_EPOCH + timedelta(microseconds=ticks // 10)

    @property
    def session_id(self) -> str:
        return self._session_id

    @property
    def locked_until(self) -> datetime:
        return self._locked_until

    async def renew(self) -> datetime:
        """Hold the session for another lock duration."""
        reply = await self._owner.manage(self.entity, "renew-session-lock", {"session-id": self._session_id})
        self._locked_until = _moment(reply.get("expiration"))
        return self._locked_until

    async def get_state(self) -> bytes | None:
        """The state kept with the session."""
        reply = await self._owner.manage(self.entity, "get-session-state", {"session-id": self._session_id})
        state = reply.get("session-state")
        return state if isinstance(state, bytes) or state is None else encode(state)

    async def set_state(self, state: bytes | None) -> None:
        """Keep a state with the session; None takes it away."""
        body = {"session-id": self._session_id, "session-state": state}
        await self._owner.manage(self.entity, "set-session-state", body)


class LinkEntityReceiver(LinkReceiver):
    """A queue or subscription without sessions; see `EntityReceiver`."""

    async def renew(self, messages: Sequence[ReceivedMessage]) -> list[datetime]:
        """Hold each message for another lock duration."""
        tokens = Array(_UUID_CODE, [message.lock_token for message in messages])
        reply = await self._owner.manage(self.entity, "renew-lock", {"lock-tokens": tokens})
        return [_moment(end) for end in reply.get("expirations", ())]


def _moment(value: Any) -> datetime:
    return Timestamp(value if isinstance(value, int) else 0).datetime()
