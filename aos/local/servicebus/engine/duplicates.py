"""Duplicate detection: the message ids of the recent past."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from aos.local.servicebus.engine.store import Store


class DuplicateHistory:
    """Ids are remembered for `window` from their first arrival; a repeat does not prolong it."""

    __slots__ = ("_entity", "_store", "_until", "window")

    def __init__(self, entity: str, window: timedelta, store: Store | None) -> None:
        self._entity = entity
        self._store = store
        # In order of arrival, which is the order of forgetting unless the window was changed.
        self._until: OrderedDict[str, datetime] = OrderedDict()
        self.window = window

    def __len__(self) -> int:
        return len(self._until)

    def seen(self, message_id: str, now: datetime) -> bool:
        """Whether the id came within the window; if not, it has come now."""
        self._forget(now)
        known = self._until.get(message_id)
        if known is not None:
            if known > now:
                return True
            del self._until[message_id]
        until = now + self.window
        self._until[message_id] = until
        if self._store is not None:
            self._store.remember_id(self._entity, message_id, until)
        return False

    def restore(self, message_id: str, until: datetime) -> None:
        self._until[message_id] = until

    def _forget(self, now: datetime) -> None:
        forgot = False
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
            forgot = True
        if forgot and self._store is not None:
            self._store.forget_ids(self._entity, now)
