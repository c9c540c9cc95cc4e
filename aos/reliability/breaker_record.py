"""What a breaker remembers, as data that instances can exchange and merge."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class BreakerRecord:
    """The state of one breaker. All moments are seconds since 1970, so that instances understand each other.

    Attributes:
        tripped: Open, or half-open once `open_until` has passed.
        changed_at: When `tripped` and what belongs to it was last decided; the latest decision counts.
        opened_at, open_until, reason: Of the last opening.
        successes: Probes that succeeded since.
        failures: Moments and ids of the failures in the window, while closed.
        cleared_at: Failures before this moment are forgiven.
        last_failure: Moment of the latest failure.
        paused_until: Not to be used before, though nothing is wrong with it; `pause_reason` says why, `paused_at`
            when that was decided.
        probe_by, probe_until: Which instance probes, and until when nobody else may; `probe_at` is when that
            was last decided.
    """

    tripped: bool = False
    changed_at: float = 0.0
    opened_at: float | None = None
    open_until: float = 0.0
    reason: str = ""
    successes: int = 0
    failures: tuple[tuple[float, str], ...] = ()
    cleared_at: float = 0.0
    last_failure: float | None = None
    paused_until: float = 0.0
    pause_reason: str = ""
    paused_at: float = 0.0
    probe_by: str = ""
    probe_until: float = 0.0
    probe_at: float = 0.0
    format: Literal[1] = field(default=1)

    def merged(self, other: BreakerRecord) -> BreakerRecord:
        """What two instances know together. The order of merging makes no difference."""
        decided = max(self, other, key=_decision)
        paused = max(self, other, key=lambda record: (record.paused_at, record.paused_until, record.pause_reason))
        probed = max(self, other, key=lambda record: (record.probe_at, record.probe_by, record.probe_until))
        cleared = max(self.cleared_at, other.cleared_at)
        moments = [moment for moment in (self.last_failure, other.last_failure) if moment is not None]
        return replace(
            decided,
            failures=tuple(sorted(f for f in {*self.failures, *other.failures} if f[0] > cleared)),
            cleared_at=cleared,
            last_failure=max(moments, default=None),
            paused_until=paused.paused_until,
            pause_reason=paused.pause_reason,
            paused_at=paused.paused_at,
            probe_by=probed.probe_by,
            probe_until=probed.probe_until,
            probe_at=probed.probe_at,
        )

    def dumps(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> BreakerRecord:
        """Raises `ValueError` for a record of another format."""
        values = json.loads(text)
        if values.get("format") != 1:
            raise ValueError(f"breaker record of format {values.get('format')!r}")
        values["failures"] = tuple((float(moment), str(id)) for moment, id in values["failures"])
        return cls(**values)


def _decision(record: BreakerRecord) -> tuple[float, bool, int, float, float, str]:
    opened = -1.0 if record.opened_at is None else record.opened_at
    return record.changed_at, record.tripped, record.successes, record.open_until, opened, record.reason
