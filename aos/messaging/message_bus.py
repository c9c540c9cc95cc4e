"""The bus as apps and code around agents use it: messages to agents, and topics with handlers in this process.

Agents themselves subscribe with `@on_event`; a handler here is for code that is no agent, and hears the events that
this process routes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aos.agents import AgentRegistry
from aos.kernel.mailbox import Mailbox
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.messaging.agent_message import AgentMessage

Handler = Callable[[Message], Awaitable[None]]


class MessageBus:
    """Sends to agents, publishes to topics, and calls handlers for the events that pass through this process."""

    def __init__(self, mailbox: Mailbox, registry: AgentRegistry, clock: Clock, ids: Ids) -> None:
        self._mailbox = mailbox
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        self._listeners: list[Handler] = []

    async def send(self, message: AgentMessage) -> str:
        """Put a message into its agent's mailbox; a broadcast into those of all listed agents but the sender's.

        Returns:
            The message's id.

        Raises:
            InvalidInput: an address is not one.
        """
        for address in [message.to_agent] if message.to_agent else self._others(message.from_agent):
            await self._mailbox.post(message.envelope(address))
        return message.id

    async def send_agent_message(self, from_agent: str, to_agent: str, message: Mapping[str, Any]) -> str:
        """Send one agent a message in another's name; `message` is the content of an `AgentMessage`."""
        content = dict(message)
        return await self.send(
            AgentMessage(
                id=self._ids.new(),
                from_agent=from_agent,
                to_agent=to_agent,
                content=content,
                timestamp=self._clock.now(),
            )
        )

    async def publish(self, topic: str, event_type: str, data: Any = None, *, source: str = "/bus") -> str:
        """Publish an event under a topic; returns its id."""
        event = Message(
            id=self._ids.new(), source=source, type=event_type, time=self._clock.now(), topic=topic, data=data
        )
        await self._mailbox.publish(event)
        return event.id

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Call `handler` for each event of this topic that this process routes; more than once should it return."""
        self._handlers[topic].append(handler)

    def unsubscribe(self, topic: str, handler: Handler) -> bool:
        """False if the handler was not subscribed."""
        if handler not in self._handlers[topic]:
            return False
        self._handlers[topic].remove(handler)
        return True

    def listen(self, handler: Handler) -> None:
        """Call `handler` for each event of any topic that this process routes; more than once should it return."""
        self._listeners.append(handler)

    async def route(self, event: Message) -> None:
        """Give an event to the mailboxes of the agents that subscribed to it, and to the handlers here."""
        await self._mailbox.fan_out(event, self._registry.subscribers(event))
        for handler in [*self._listeners, *self._handlers[event.topic or ""]]:
            await handler(event)

    def _others(self, sender: str) -> Iterable[str]:
        return [agent.type for agent in self._registry if agent.listed and agent.type != sender]
