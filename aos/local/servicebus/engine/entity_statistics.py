"""Counts of one entity, for the administration endpoint and for health."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EntityStatistics:
    """Messages by state, and bytes. `locked` are part of `active`, as the service counts them.

    On a topic `active`, `deferred` and `locked` are 0 (its subscriptions hold them) and `size_bytes` covers all
    of its subscriptions.
    """

    active: int = 0
    locked: int = 0
    deferred: int = 0
    scheduled: int = 0
    dead_letter: int = 0
    transfer_dead_letter: int = 0
    sessions: int = 0
    locked_sessions: int = 0
    size_bytes: int = 0
