"""W3C trace context: one trace follows a piece of work through every agent it wakes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aos.kernel.ports import Ids

_SHAPE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A position in a trace. See https://www.w3.org/TR/trace-context/."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def child(self, ids: Ids) -> TraceContext:
        return TraceContext(self.trace_id, _hex(ids, 16), self.flags)


def start_or_continue(traceparent: str | None, ids: Ids) -> TraceContext:
    """A child of `traceparent`, or a new trace where there is none or it is not well-formed."""
    match = _SHAPE.fullmatch(traceparent or "")
    if match and match[1] != "0" * 32 and match[2] != "0" * 16:
        return TraceContext(match[1], match[2], match[3]).child(ids)
    return TraceContext(_hex(ids, 32), _hex(ids, 16))


def _hex(ids: Ids, digits: int) -> str:
    """Random hexadecimal digits, 13 (52 bits) from each random number."""
    found = f"{int(ids.random() * 2**52):013x}{int(ids.random() * 2**52):013x}"
    return (found if digits <= 26 else f"{found}{int(ids.random() * 2**52):013x}")[:digits]
