"""Names of the queues, topics and subscriptions of a namespace. The infrastructure templates make the same ones."""

from __future__ import annotations

INBOX = "agent-inbox"
EVENTS = "agent-events"
EVENTS_ROUTER = "router"
REQUESTS = "aos-requests"
DEFAULT_RESPONSES = "businessinfinity-responses"

QUEUES = (INBOX, REQUESTS, DEFAULT_RESPONSES)
TOPICS = (EVENTS,)


def response_queue(source: str, reply_to: str | None) -> str:
    """Where a business app wants its answers: where it says, else the queue named after it."""
    return reply_to or f"{source.lower()}-responses"
