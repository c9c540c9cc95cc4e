"""The queues and topics a system of agents has, as the bus in memory is given them."""

from __future__ import annotations

from datetime import timedelta

from aos.local.servicebus.engine import QueueDescription, SubscriptionDescription, TopicDescription, Topology

ROUTER = "router"


def agent_topology(
    *,
    inbox: str = "agent-inbox",
    events: str = "agent-events",
    requests: str = "aos-requests",
    response_queues: tuple[str, ...] = (),
    lock_duration: timedelta = timedelta(minutes=1),
    max_delivery_count: int = 10,
    duplicate_window: timedelta = timedelta(minutes=10),
) -> Topology:
    """The mailboxes, the topic of events with its router's subscription, and the queues of the wire contract.

    Args:
        inbox: The queue with sessions.
        events: The topic.
        requests: The queue business apps send to.
        response_queues: Those they listen on.
        lock_duration: How long a mailbox or a message is held without being renewed.
        max_delivery_count: Failed deliveries until a message is dead-lettered.
        duplicate_window: How long message ids are remembered.
    """
    return Topology(
        queues=(
            QueueDescription(
                name=inbox,
                requires_session=True,
                requires_duplicate_detection=True,
                duplicate_detection_window=duplicate_window,
                lock_duration=lock_duration,
                max_delivery_count=max_delivery_count,
            ),
            *(
                QueueDescription(
                    name=name,
                    requires_duplicate_detection=True,
                    duplicate_detection_window=duplicate_window,
                    lock_duration=lock_duration,
                    max_delivery_count=max_delivery_count,
                )
                for name in (requests, *response_queues)
            ),
        ),
        topics=(
            TopicDescription(
                name=events, requires_duplicate_detection=True, duplicate_detection_window=duplicate_window
            ),
        ),
        subscriptions=(
            SubscriptionDescription(
                topic=events, name=ROUTER, lock_duration=lock_duration, max_delivery_count=max_delivery_count
            ),
        ),
    )
