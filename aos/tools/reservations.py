"""The calls of a message that may have left something behind, read from its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aos.kernel.errors import NotFound
from aos.kernel.turn import Turn
from aos.tools.calls import Record, undo
from aos.tools.declaration import Tool


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that was reserved and neither failed nor was taken back.

    Attributes:
        reservation: What was reserved.
        known: Whether it is known to have been done.
        result: What it brought, where it was done.
    """

    reservation: Record
    known: bool
    result: Any

    @property
    def reversible(self) -> bool:
        return bool(self.reservation["effect"] == "reversible")

    def to_json(self) -> dict[str, Any]:
        """For a message that has it taken back."""
        return {"reservation": self.reservation, "known": self.known, "result": self.result}


async def open_calls(turn: Turn) -> list[OpenCall]:
    """The open calls of the turn's message, in all its deliveries, the latest first."""
    steps = [record for record in (await turn.recorded()).values() if isinstance(record, dict)]
    settled = {record["settled"]: record for record in steps if "settled" in record}
    undone = {record["undone"] for record in steps if "undone" in record}
    found: list[OpenCall] = []
    for record in steps:
        if "reserved" not in record or record["mark"] in undone:
            continue
        came = settled.get(record["mark"], {"outcome": "unknown"})
        if came["outcome"] in ("done", "unknown"):
            found.append(OpenCall(record, came["outcome"] == "done", came.get("result")))
    return sorted(found, key=lambda call: list(call.reservation["order"]), reverse=True)


async def reversible_rows(turn: Turn) -> set[str]:
    """Row keys of the steps that tell of reversible calls, taken back or not."""
    steps = {row: record for row, record in (await turn.recorded()).items() if isinstance(record, dict)}
    marks = {record["mark"] for record in steps.values() if "reserved" in record and record["effect"] == "reversible"}
    return {
        row for row, record in steps.items() if marks & {record.get(name) for name in ("mark", "settled", "undone")}
    }


async def undo_all(turn: Turn, calls: Sequence[OpenCall], tools: Mapping[str, Tool]) -> int:
    """Take reversible calls back, in this order. Raises `NotFound` for a tool the agent does not have any more."""
    reversible = [call for call in calls if call.reversible]
    for call in reversible:
        tool = tools.get(call.reservation["tool"])
        if tool is None or tool.compensation is None:
            raise NotFound(
                f"A call of {call.reservation['tool']!r} is to be taken back, and the agent has no such reversible "
                "tool. Grant it, and send the dead letter again."
            )
        await undo(turn, tool, call.reservation, call.result, known=call.known)
    return len(reversible)
