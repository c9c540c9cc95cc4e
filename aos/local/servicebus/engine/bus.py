"""The namespace: all entities, the paths that lead to them, and the clock that moves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import cast

from aos.local.servicebus.engine.context import Context, Quota, lock_token_source, utc_now
from aos.local.servicebus.engine.departures import DEAD_LETTER, TRANSFER_DEAD_LETTER
from aos.local.servicebus.engine.description import (
    Limits,
    QueueDescription,
    RuleDescription,
    SubscriptionDescription,
    TopicDescription,
    Topology,
)
from aos.local.servicebus.engine.descriptions_json import Description, description_to_json
from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.errors import EntityExists, EntityNotFound, NotPermitted
from aos.local.servicebus.engine.faults import Faults
from aos.local.servicebus.engine.locking import Role
from aos.local.servicebus.engine.message_queue import Queue
from aos.local.servicebus.engine.restoring import restore
from aos.local.servicebus.engine.rules import Rules
from aos.local.servicebus.engine.store import Store
from aos.local.servicebus.engine.topic import Subscription, Topic
from aos.local.servicebus.engine.validation import check_queue, check_subscription, check_topic

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

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        faults: Faults | None = None,
        limits: Limits | None = None,
        lock_tokens: Callable[[], bytes] | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.limits = limits or Limits()
        self._store = store
        self._context = Context(
            clock=clock or utc_now,
            store=store,
            faults=self.faults,
            limits=self.limits,
            new_token=lock_tokens or lock_token_source(),
            route=self.find_target,
        )
        self._queues: dict[str, Queue] = {}
        self._topics: dict[str, Topic] = {}

    @classmethod
    async def open(
        cls,
        store: Store,
        *,
        clock: Clock | None = None,
        faults: Faults | None = None,
        limits: Limits | None = None,
    ) -> Bus:
        """A bus with everything the store kept: entities, messages, states, remembered ids. No locks."""
        snapshot = await store.load()
        bus = cls(clock=clock, store=store, faults=faults, limits=limits)
        restore(bus, snapshot)
        return bus

    def apply(self, topology: Topology) -> None:
        """Create what is missing and update what is there, so that the namespace holds `topology`."""
        for queue in topology.queues:
            (self.update_queue if queue.name.lower() in self._queues else self.create_queue)(queue)
        for topic in topology.topics:
            (self.update_topic if topic.name.lower() in self._topics else self.create_topic)(topic)
        for subscription in topology.subscriptions:
            if subscription.name.lower() in self._topic(subscription.topic).subscriptions:
                self.update_subscription(subscription)
                self._replace_rules(subscription)
            else:
                self.create_subscription(subscription)

    # Paths

    def target(self, path: str) -> Queue | Topic:
        """What to send to. Raises EntityNotFound."""
        found = self.find_target(path)
        if found is None:
            raise EntityNotFound(f"There is no queue or topic {path!r}: create it, or mend the name.")
        return found

    def source(self, path: str) -> Queue:
        """What to receive from: a queue, a subscription (`t/Subscriptions/s`), or a sub-queue of either.

        Sub-queues are `.../$DeadLetterQueue` and `.../$Transfer/$DeadLetterQueue`.

        Raises:
            EntityNotFound: there is no such entity.
            NotPermitted: it is a topic.
        """
        key = path.strip("/").lower()
        for suffix in (TRANSFER_DEAD_LETTER, DEAD_LETTER):
            if key.endswith(f"/{suffix.lower()}"):
                return self._main_source(key[: -len(suffix) - 1], path).sub_queue(suffix)
        return self._main_source(key, path)

    def _main_source(self, key: str, path: str) -> Queue:
        queue = self._queues.get(key)
        if queue is not None:
            return queue
        topic, separator, subscription = key.rpartition("/subscriptions/")
        if separator and topic in self._topics and subscription in self._topics[topic].subscriptions:
            return self._topics[topic].subscriptions[subscription].queue
        if key in self._topics:
            raise NotPermitted(f"{path!r} is a topic: receive from one of its subscriptions.")
        raise EntityNotFound(f"There is no queue or subscription {path!r}: create it, or mend the name.")

    def find_target(self, path: str) -> Queue | Topic | None:
        """As `target`, None where there is nothing of that name."""
        key = path.strip("/").lower()
        return self._queues.get(key) or self._topics.get(key)

    # Queues. Here and below create raises EntityExists, the others EntityNotFound; both InvalidArgument

    def create_queue(self, description: QueueDescription) -> QueueDescription:
        check_queue(description)
        self._check_free(description.name)
        queue = Queue(self._context, description.name, description, Role.QUEUE, Quota(description.max_size_mb))
        self._queues[description.name.lower()] = queue
        self._keep(description.name, description)
        return description

    def update_queue(self, description: QueueDescription) -> QueueDescription:
        """Sessions and duplicate detection cannot be changed: InvalidArgument."""
        queue = self._queue(description.name)
        description = replace(description, name=queue.path)
        check_queue(description, before=self.queue(description.name))
        queue.configure(description)
        self._keep(queue.path, description)
        return description

    def delete_queue(self, name: str) -> None:
        queue = self._queue(name)
        del self._queues[name.lower()]
        queue.delete()
        self._forget(queue.path)

    def queue(self, name: str) -> QueueDescription:
        return cast("QueueDescription", self._queue(name).description)

    def queues(self) -> list[QueueDescription]:
        return [self.queue(name) for name in self._queues]

    def _queue(self, name: str) -> Queue:
        queue = self._queues.get(name.lower())
        if queue is None:
            raise EntityNotFound(f"There is no queue {name!r}.")
        return queue

    def _check_free(self, name: str) -> None:
        if name.lower() in self._queues or name.lower() in self._topics:
            raise EntityExists(f"There is a queue or a topic {name!r} already.")

    # Topics

    def create_topic(self, description: TopicDescription) -> TopicDescription:
        check_topic(description)
        self._check_free(description.name)
        self._topics[description.name.lower()] = Topic(self._context, description)
        self._keep(description.name, description)
        return description

    def update_topic(self, description: TopicDescription) -> TopicDescription:
        """Duplicate detection cannot be changed: InvalidArgument."""
        topic = self._topic(description.name)
        description = replace(description, name=topic.path)
        check_topic(description, before=topic.description)
        topic.configure(description)
        self._keep(topic.path, description)
        return description

    def delete_topic(self, name: str) -> None:
        topic = self._topic(name)
        del self._topics[name.lower()]
        topic.delete()
        self._forget(topic.path)

    def topic(self, name: str) -> TopicDescription:
        return self._topic(name).description

    def topics(self) -> list[TopicDescription]:
        return [topic.description for topic in self._topics.values()]

    def _topic(self, name: str) -> Topic:
        topic = self._topics.get(name.lower())
        if topic is None:
            raise EntityNotFound(f"There is no topic {name!r}.")
        return topic

    # Subscriptions

    def create_subscription(self, description: SubscriptionDescription) -> SubscriptionDescription:
        check_subscription(description)
        topic = self._topic(description.topic)
        if description.name.lower() in topic.subscriptions:
            raise EntityExists(f"There is a subscription {description.name!r} in {topic.path!r} already.")
        return self._kept(topic.add(description))

    def update_subscription(self, description: SubscriptionDescription) -> SubscriptionDescription:
        """All but the rules, which have operations of their own. Sessions cannot be changed: InvalidArgument."""
        found = self._subscription(description.topic, description.name)
        before = found.description
        description = replace(description, topic=before.topic, name=before.name)
        check_subscription(description, before=before)
        found.queue.configure(description)
        return self._kept(found)

    def delete_subscription(self, topic: str, name: str) -> None:
        found = self._subscription(topic, name)
        self._topic(topic).remove(name)
        self._forget(found.queue.path)

    def subscription(self, topic: str, name: str) -> SubscriptionDescription:
        return _with_rules(self._subscription(topic, name))

    def subscriptions(self, topic: str) -> list[SubscriptionDescription]:
        return [_with_rules(found) for found in self._topic(topic).subscriptions.values()]

    def _subscription(self, topic: str, name: str) -> Subscription:
        found = self._topic(topic).subscriptions.get(name.lower())
        if found is None:
            raise EntityNotFound(f"There is no subscription {name!r} in topic {topic!r}.")
        return found

    def _kept(self, subscription: Subscription) -> SubscriptionDescription:
        description = _with_rules(subscription)
        self._keep(subscription.queue.path, description)
        return description

    # Rules

    def create_rule(self, topic: str, subscription: str, rule: RuleDescription) -> RuleDescription:
        """Raises FilterInvalid for SQL that does not follow the grammar."""
        found = self._subscription(topic, subscription)
        found.rules.add(rule)
        self._kept(found)
        return rule

    def update_rule(self, topic: str, subscription: str, rule: RuleDescription) -> RuleDescription:
        found = self._subscription(topic, subscription)
        found.rules.replace(rule)
        self._kept(found)
        return rule

    def delete_rule(self, topic: str, subscription: str, name: str) -> None:
        """A subscription may be left without rules: nothing comes in then."""
        found = self._subscription(topic, subscription)
        found.rules.remove(name)
        self._kept(found)

    def rule(self, topic: str, subscription: str, name: str) -> RuleDescription:
        return self._subscription(topic, subscription).rules.get(name)

    def rules(self, topic: str, subscription: str) -> list[RuleDescription]:
        return self._subscription(topic, subscription).rules.descriptions()

    def _replace_rules(self, description: SubscriptionDescription) -> None:
        found = self._subscription(description.topic, description.name)
        found.rules = Rules(description.rules)
        self._kept(found)

    # Statistics

    def statistics(self, path: str) -> EntityStatistics:
        """Of a queue, a topic, a subscription or a sub-queue."""
        topic = self._topics.get(path.strip("/").lower())
        return self.source(path).statistics() if topic is None else topic.statistics()

    def all_statistics(self) -> dict[str, EntityStatistics]:
        """Of every queue, topic and subscription, by path."""
        found = {queue.path: queue.statistics() for queue in self._queues.values()}
        for topic in self._topics.values():
            found[topic.path] = topic.statistics()
            for subscription in topic.subscriptions.values():
                found[subscription.queue.path] = subscription.queue.statistics()
        return found

    # Time

    @property
    def on_earlier_due(self) -> Callable[[], None] | None:
        """Called whenever `next_due` has become earlier. It must not raise."""
        return self._context.alarms.on_earlier

    @on_earlier_due.setter
    def on_earlier_due(self, callback: Callable[[], None] | None) -> None:
        self._context.alarms.on_earlier = callback

    def now(self) -> datetime:
        return self._context.clock()

    def next_due(self) -> datetime | None:
        """When `advance` has something to do next; may be earlier than strictly needed, never later."""
        return self._context.alarms.next_due()

    def advance(self, now: datetime | None = None) -> None:
        """Do all that is due: end locks, expire and activate messages, time waiters out."""
        self._context.alarms.advance(now or self._context.clock())

    # Durability

    async def flush(self) -> None:
        """Await this before acknowledging a send or a settlement. At once without a store.

        Raises:
            StoreBroken: it could not be written; nothing since the last flush is safe.
        """
        if self._store is not None:
            await self._store.flush()

    async def close(self) -> None:
        """Write what is left and close the store."""
        if self._store is not None:
            await self._store.close()

    def _keep(self, path: str, description: Description) -> None:
        if self._store is not None:
            self._store.put_entity(path, description_to_json(description))

    def _forget(self, path: str) -> None:
        if self._store is not None:
            self._store.delete_entity(path)


def _with_rules(subscription: Subscription) -> SubscriptionDescription:
    return replace(subscription.description, rules=tuple(subscription.rules.descriptions()))
