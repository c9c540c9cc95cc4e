"""The head: all an agent is at this moment, in one entity that each turn replaces under its ETag."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aos.kernel.dedupe import DedupeWindow
from aos.kernel.json_text import to_bytes
from aos.kernel.packing import Packed, pack, unpack
from aos.kernel.ports import BlobStore, Entity, Value
from aos.kernel.standing import OPEN, Standing
from aos.kernel.vitals import Vitals

ROW = "head"
SCHEMA = 1
GENESIS = "0" * 64
"""What the first journal entry chains to."""


@dataclass(slots=True)
class Waiting:
    """A line of messages kept as numbered rows of the agent's partition.

    Attributes:
        behind: The message they wait for; None when they wait for none.
        first: Number of the oldest row.
        next: Number the next row gets.
    """

    behind: str | None = None
    first: int = 0
    next: int = 0

    @property
    def count(self) -> int:
        return self.next - self.first

    def copy(self) -> Waiting:
        return Waiting(self.behind, self.first, self.next)

    def to_json(self) -> list[Any]:
        return [self.behind, self.first, self.next]


_NONE_WAIT = Waiting()


@dataclass(slots=True)
class Head:
    """An agent's current state.

    Attributes:
        agent: Its address.
        version: Number of turns taken; also the number of the newest journal entry.
        turn: Id of the turn that wrote it, by which a writer recognises its own commit.
        chain: Hash of the newest journal entry.
        state: The agent's own state as JSON bytes.
        recent: Messages dealt with lately.
        pending: Requests waiting for a reply, by request id.
        reminders: The message id that each named reminder will arrive under.
        waiting: What strict order holds back, as rows `w:<number>`.
        aside: What was put aside because the agent may not work, as rows `p:<number>`.
        standing: The operator's order.
        vitals: How its latest messages went.
        parked: Messages set aside until a question is answered, by the question's id.
        counters: Sums over the agent's life.
        created, updated: RFC 3339 times.
        etag: Of the stored entity; None before the first commit.
    """

    agent: str
    recent: DedupeWindow
    version: int = 0
    turn: str = ""
    chain: str = GENESIS
    state: bytes = b"{}"
    pending: dict[str, dict[str, Any]] = field(default_factory=dict)
    reminders: dict[str, str] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)
    aside: Waiting = field(default_factory=Waiting)
    standing: Standing = OPEN
    vitals: Vitals = field(default_factory=Vitals)
    parked: dict[str, dict[str, Any]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    etag: str | None = None

    def encode(self) -> tuple[Entity, list[Packed]]:
        """The entity to write, and what was packed for it (whose blobs must be written first)."""
        control: dict[str, Any] = {
            "pending": self.pending,
            "reminders": self.reminders,
            "waiting": self.waiting.to_json(),
            "counters": self.counters,
            "vitals": self.vitals.to_json(),
        }
        if self.standing is not OPEN:
            control["standing"] = self.standing.to_json()
        if self.aside != _NONE_WAIT:
            control["aside"] = self.aside.to_json()
        if self.parked:
            control["parked"] = self.parked
        packed = [
            pack("state", self.state),
            pack("control", to_bytes(control)),
        ]
        values: dict[str, Value] = {
            "schema": SCHEMA,
            "type": self.agent.partition(":")[0],
            "version": self.version,
            "turn": self.turn,
            "chain": self.chain,
            "recent": self.recent.encode(),
            "created": self.created,
            "updated": self.updated,
        }
        for part in packed:
            values.update(part.values)
        return Entity(self.agent, ROW, values), packed


async def decode_head(entity: Entity, *, window: int, blobs: BlobStore) -> Head:
    """Read a head back. Raises `StoreUnavailable` where its blob is missing."""
    values = entity.values
    control = json.loads(await unpack("control", values, blobs))
    recent = values.get("recent", b"")
    return Head(
        agent=entity.partition,
        version=int(str(values["version"])),
        turn=str(values["turn"]),
        chain=str(values["chain"]),
        state=await unpack("state", values, blobs),
        recent=DedupeWindow.decode(window, recent if isinstance(recent, bytes) else b""),
        pending=control["pending"],
        reminders=control["reminders"],
        waiting=Waiting(*control["waiting"]),
        aside=Waiting(*control.get("aside", ())),
        standing=Standing(**control["standing"]) if "standing" in control else OPEN,
        vitals=Vitals(*control.get("vitals", ())),
        parked=control.get("parked", {}),
        counters=control["counters"],
        created=str(values["created"]),
        updated=str(values["updated"]),
        etag=entity.etag,
    )
