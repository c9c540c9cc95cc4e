"""A list that forgets its oldest items, kept in an agent's state so that adding one item changes little of it.

Items are keyed by their number. A rolling list would be a new value at each turn, and its whole length would go into
each journal entry; here an entry holds the item that came and the number of the one that went.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from aos.kernel.errors import InvalidInput


class BoundedLog:
    """The newest items, within a number and a size.

    Args:
        kept: Where they live in the state: `next` (the number the next item gets), `bytes` and `items`.
        name: What an item is called in errors.
        max_items: Most items kept.
        max_bytes: Most bytes of JSON kept.
    """

    def __init__(self, kept: dict[str, Any], *, name: str, max_items: int, max_bytes: int) -> None:
        self._kept = kept
        self._name = name
        self._max_items = max_items
        self._max_bytes = max_bytes

    @staticmethod
    def empty() -> dict[str, Any]:
        """What an empty log looks like in the state."""
        return {"next": 0, "bytes": 0, "items": {}}

    def __len__(self) -> int:
        return len(self._kept["items"])

    @property
    def total(self) -> int:
        """How many items were ever added."""
        return int(self._kept["next"])

    def add(self, item: dict[str, Any]) -> None:
        """Add an item, and drop the oldest until the rest is within its bounds.

        Raises:
            InvalidInput: this one item is larger than all may be together.
        """
        size = _size(item)
        if size > self._max_bytes:
            raise InvalidInput(
                f"The {self._name} has {size:,} bytes, over the limit of {self._max_bytes:,} for all of them together. "
                "Keep large things as artifacts, and their ids here."
            )
        kept = self._kept
        kept["items"][str(kept["next"])] = item
        kept["next"] += 1
        kept["bytes"] += size
        while len(self) > self._max_items or kept["bytes"] > self._max_bytes:
            oldest = next(iter(kept["items"]))
            kept["bytes"] -= _size(kept["items"].pop(oldest))

    def newest(self, limit: int | None = None) -> list[Any]:
        """Copies of the newest `limit` items (all without one), oldest first."""
        items = list(self._kept["items"].values())
        return copy.deepcopy(items if limit is None else items[max(0, len(items) - limit) :])


def _size(item: dict[str, Any]) -> int:
    return len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())
