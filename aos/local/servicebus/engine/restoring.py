"""Puts what a store kept back into a new bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.local.servicebus.engine.description import QueueDescription, TopicDescription
from aos.local.servicebus.engine.descriptions_json import description_from_json
from aos.local.servicebus.engine.intake import Intake
from aos.local.servicebus.engine.store import Snapshot
from aos.local.servicebus.engine.topic import Topic

if TYPE_CHECKING:
    from aos.local.servicebus.engine.bus import Bus


def restore(bus: Bus, snapshot: Snapshot) -> None:
    """Entities first, then their messages in order; last the clock catches up with what fell due meanwhile."""
    for document in snapshot.entities.values():
        description = description_from_json(document)
        if isinstance(description, QueueDescription):
            bus.create_queue(description)
        elif isinstance(description, TopicDescription):
            bus.create_topic(description)
        else:
            bus.create_subscription(description)
    for path, message in snapshot.messages:
        target = _topic(bus, path)
        if target is None:
            bus.source(path).restore(message)
        else:
            target.intake.restore(message)
    for path, number in snapshot.sequences.items():
        _intake(bus, path).restore_number(number)
    for (path, session_id), state in snapshot.session_states.items():
        bus.source(path).desk.restore_state(session_id, state)
    for path, message_id, until in snapshot.duplicates:
        history = _intake(bus, path).duplicates
        if history is not None:
            history.restore(message_id, until)
    bus.advance()


def _topic(bus: Bus, path: str) -> Topic | None:
    found = bus.find_target(path)
    return found if isinstance(found, Topic) else None


def _intake(bus: Bus, path: str) -> Intake:
    return (_topic(bus, path) or bus.source(path)).intake
