"""A topic: takes messages and gives each subscription the copies its rules let in."""

from __future__ import annotations

from collections.abc import Sequence

from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.message import Message


class Topic:
    """Sending side of a topic; same rules as `Queue` for `send`, `schedule`, `cancel_scheduled` and `peek`."""

    path: str

    def send(self, messages: Sequence[Message]) -> None:
        raise NotImplementedError

    def schedule(self, messages: Sequence[Message]) -> list[int]:
        raise NotImplementedError

    def cancel_scheduled(self, sequence_numbers: Sequence[int]) -> None:
        raise NotImplementedError

    def peek(self, start: int, limit: int, session_id: str | None = None) -> list[Message]:
        """Scheduled messages; the others are in the subscriptions."""
        raise NotImplementedError

    def statistics(self) -> EntityStatistics:
        raise NotImplementedError
