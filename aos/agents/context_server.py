"""An agent's context: values, a history of events and memory items that last from turn to turn, one for each agent.

It lives in the agent's state under a name of its own, which `Agent.handle` keeps apart from the author's state model.
So every write is buffered in the turn, and committed, journaled and replayed with it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from aos.agents.bounded_log import BoundedLog
from aos.kernel.errors import InvalidInput, NotAllowedNow
from aos.kernel.message import format_time
from aos.kernel.turn import Turn

CONTEXT = "aos.context"
"""Member of an agent's stored state that holds its context. No field of a model can have this name."""

VERSION = "1.0.0"
_SAVED_STATE = "state"
_READS, _WRITES = "total_context_reads", "total_context_writes"


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """How much of its past a context keeps; the oldest is dropped.

    The sizes are such that a full context, compressed, still fits the agent's entity in the common case.

    Attributes:
        max_history_size, max_memory_size: Number of events, and of memory items.
        max_history_bytes, max_memory_bytes: Their size as JSON.
    """

    max_history_size: int = 1_000
    max_memory_size: int = 500
    max_history_bytes: int = 128 * 1024
    max_memory_bytes: int = 128 * 1024


class ContextMCPServer:
    """The context of one agent, in one of its turns or, for reading, between them.

    A handler gets it from `Agent.context(turn)`. Outside, it can be read over MCP and through the API.

    Attributes:
        agent_id: Whose it is.
        metadata: `agent_id`, `created_at` (RFC 3339; None before the first use) and `version`.
    """

    def __init__(self, agent_id: str, kept: dict[str, Any] | None = None, limits: ContextLimits | None = None) -> None:
        limits = limits or ContextLimits()
        kept = kept if kept is not None else _new(None)
        self.agent_id = agent_id
        self.metadata = {"agent_id": agent_id, "created_at": kept["created_at"], "version": VERSION}
        self._values: dict[str, Any] = kept["values"]
        self._stats: dict[str, int] = kept["stats"]
        self._history = BoundedLog(
            kept["history"], name="event", max_items=limits.max_history_size, max_bytes=limits.max_history_bytes
        )
        self._memory = BoundedLog(
            kept["memory"], name="memory item", max_items=limits.max_memory_size, max_bytes=limits.max_memory_bytes
        )
        self._turn: Turn | None = None
        self._home: dict[str, Any] | None = None

    @classmethod
    def of_turn(cls, turn: Turn, limits: ContextLimits) -> ContextMCPServer:
        """The context of the turn's agent; what is written is committed with the turn."""
        if CONTEXT not in turn.state:
            turn.state[CONTEXT] = _new(turn.now)
        server = cls(turn.agent, turn.state[CONTEXT], limits)
        server._turn, server._home = turn, turn.state
        return server

    @property
    def is_connected(self) -> bool:
        """Whether it can be written: the turn it belongs to is still running."""
        return self._turn is not None and self._turn.state is self._home

    async def initialize(self) -> bool:
        """Whether it can be written; its content is there already."""
        return self.is_connected

    async def shutdown(self) -> bool:
        """Take no more writes through this object. What was written is committed with the turn."""
        was_connected, self._turn = self.is_connected, None
        return was_connected

    async def set_context(self, key: str, value: Any) -> bool:
        """Set a value. As all writes, it is in force at once in this turn, and kept if the turn is committed.

        Raises:
            InvalidInput: the value is not JSON.
            NotAllowedNow: the turn is over.
        """
        return await self.update_context({key: value})

    async def update_context(self, values: Mapping[str, Any]) -> bool:
        """Set several values. Raises as `set_context`, and then sets none."""
        self._check_open()
        self._values.update(_to_json(dict(values)))
        self._stats[_WRITES] += len(values)
        return True

    async def get_context(self, key: str, default: Any = None) -> Any:
        """A copy of a value, or `default`."""
        self._count_read()
        return copy.deepcopy(self._values[key]) if key in self._values else default

    async def get_all_context(self) -> dict[str, Any]:
        """Copies of all values."""
        self._count_read()
        return copy.deepcopy(self._values)

    async def clear_context(self, keys: Iterable[str] | None = None) -> bool:
        """Take out these values; without `keys`, all. Raises `NotAllowedNow` when the turn is over."""
        self._check_open()
        for key in list(self._values) if keys is None else keys:
            self._values.pop(key, None)
        return True

    async def save_state(self, state: Mapping[str, Any]) -> bool:
        """Keep a whole object, in place of the one kept before. Raises as `set_context`."""
        return await self.set_context(_SAVED_STATE, dict(state))

    async def load_state(self) -> dict[str, Any]:
        """The object kept by `save_state`; an empty one if there is none."""
        state: dict[str, Any] = await self.get_context(_SAVED_STATE, {})
        return state

    async def store_event(self, event: Any) -> dict[str, Any]:
        """Add an event to the history.

        Returns:
            `{"timestamp", "event"}`, as it is kept.

        Raises:
            InvalidInput: the event is not JSON, or larger than the whole history may be.
            NotAllowedNow: the turn is over.
        """
        return self._add(self._history, "event", event)

    async def get_event_history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The newest `limit` events (all without one), oldest first."""
        return self._history.newest(limit)

    async def add_memory(self, item: Any) -> dict[str, Any]:
        """Add an item to the memory. Returns `{"timestamp", "item"}`; raises as `store_event`."""
        return self._add(self._memory, "item", item)

    async def get_memory(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The newest `limit` memory items (all without one), oldest first."""
        return self._memory.newest(limit)

    async def get_statistics(self) -> dict[str, Any]:
        """Reads and writes in the agent's turns, and how much there is of what."""
        return {
            **self._stats,
            "total_events_stored": self._history.total,
            "total_memory_items": self._memory.total,
            "current_context_size": len(self._values),
            "current_history_size": len(self._history),
            "current_memory_size": len(self._memory),
            "is_connected": self.is_connected,
        }

    def _add(self, log: BoundedLog, name: str, content: Any) -> dict[str, Any]:
        turn = self._check_open()
        record = {"timestamp": format_time(turn.now), name: _to_json(content)}
        log.add(record)
        return copy.deepcopy(record)

    def _check_open(self) -> Turn:
        if self._turn is None or not self.is_connected:
            raise NotAllowedNow(
                f"The context of {self.agent_id!r} can be written only in a turn of the agent while its handler runs. "
                "Send the agent a message, and write there."
            )
        return self._turn

    def _count_read(self) -> None:
        if self.is_connected:
            self._stats[_READS] += 1


def _new(now: datetime | None) -> dict[str, Any]:
    return {
        "created_at": format_time(now) if now else None,
        "values": {},
        "history": BoundedLog.empty(),
        "memory": BoundedLog.empty(),
        "stats": {_READS: 0, _WRITES: 0},
    }


def _to_json(value: Any) -> Any:
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise InvalidInput(f"The context keeps only JSON: {error}. Give it JSON values or pydantic models.") from error
