"""The namespace: all entities, the paths that lead to them, and the clock that moves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from aos.local.servicebus.engine.description import (
    Limits,
    QueueDescription,
    RuleDescription,
    SubscriptionDescription,
    TopicDescription,
    Topology,
)
from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.faults import Faults
from aos.local.servicebus.engine.message_queue import Queue
from aos.local.servicebus.engine.store import Store
from aos.local.servicebus.engine.topic import Topic

Clock = Callable[[], datetime]


class Bus:
    """A Service Bus namespace in memory. Single-threaded: call it from one thread or one event loop.

    Time moves only by `clock`. Whoever owns the bus calls `advance` when `next_due` has come (`TimerDriver`
    does so in real time); operations in between look at the clock themselves, so that a lock that has expired
    is never honoured. Names and paths are case-insensitive.

    Args:
        clock: Gives the time in UTC, timezone-aware.
        store: Where accepted messages are kept; None for memory only.
        lock_tokens: Gives 16 fresh bytes; default unique per process and unguessable.
    """

    faults: Faults
    limits: Limits
    on_earlier_due: Callable[[], None] | None

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        faults: Faults | None = None,
        limits: Limits | None = None,
        lock_tokens: Callable[[], bytes] | None = None,
    ) -> None:
        raise NotImplementedError

    @classmethod
    async def open(cls, store: Store, *, clock: Clock | None = None) -> Bus:
        """A bus with everything the store kept: entities, messages, states, remembered ids. No locks."""
        raise NotImplementedError

    def apply(self, topology: Topology) -> None:
        """Create what is missing and update what is there, so that the namespace holds `topology`."""
        raise NotImplementedError

    # Paths

    def target(self, path: str) -> Queue | Topic:
        """What to send to. Raises EntityNotFound."""
        raise NotImplementedError

    def source(self, path: str) -> Queue:
        """What to receive from: `q`, `t/Subscriptions/s`, either with `/$DeadLetterQueue` or
        `/$Transfer/$DeadLetterQueue`. Raises EntityNotFound, NotPermitted for a topic.
        """
        raise NotImplementedError

    # Entities at run time. Create raises EntityExists, the others EntityNotFound

    def create_queue(self, description: QueueDescription) -> QueueDescription: ...
    def update_queue(self, description: QueueDescription) -> QueueDescription: ...
    def delete_queue(self, name: str) -> None: ...
    def queue(self, name: str) -> QueueDescription: ...
    def queues(self) -> list[QueueDescription]: ...
    def create_topic(self, description: TopicDescription) -> TopicDescription: ...
    def update_topic(self, description: TopicDescription) -> TopicDescription: ...
    def delete_topic(self, name: str) -> None: ...
    def topic(self, name: str) -> TopicDescription: ...
    def topics(self) -> list[TopicDescription]: ...
    def create_subscription(self, description: SubscriptionDescription) -> SubscriptionDescription: ...
    def update_subscription(self, description: SubscriptionDescription) -> SubscriptionDescription: ...
    def delete_subscription(self, topic: str, name: str) -> None: ...
    def subscription(self, topic: str, name: str) -> SubscriptionDescription: ...
    def subscriptions(self, topic: str) -> list[SubscriptionDescription]: ...
    def create_rule(self, topic: str, subscription: str, rule: RuleDescription) -> RuleDescription: ...
    def update_rule(self, topic: str, subscription: str, rule: RuleDescription) -> RuleDescription: ...
    def delete_rule(self, topic: str, subscription: str, name: str) -> None: ...
    def rule(self, topic: str, subscription: str, name: str) -> RuleDescription: ...
    def rules(self, topic: str, subscription: str) -> list[RuleDescription]: ...

    def statistics(self, path: str) -> EntityStatistics: ...
    def all_statistics(self) -> dict[str, EntityStatistics]: ...

    # Time

    def next_due(self) -> datetime | None:
        """When `advance` has something to do next; may be earlier than strictly needed, never later."""
        raise NotImplementedError

    def advance(self, now: datetime | None = None) -> None:
        """Do all that is due: end locks, expire and activate messages, time waiters out."""
        raise NotImplementedError

    # Durability

    async def flush(self) -> None:
        """Await this before acknowledging a send or a settlement. At once without a store."""
        raise NotImplementedError

    async def close(self) -> None: ...
