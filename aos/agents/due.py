"""When wakes are due: schedules turned into moments, quiet hours applied, missed ones made into as few as wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from aos.agents.wake import Wake
from aos.kernel.message import format_time, parse_time

GRACE = timedelta(minutes=2)
"""A wake that is later than this was missed; the timer that posts them comes every minute."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 1_000
CAUGHT_UP = 100
_EPOCH = NEVER


@dataclass(frozen=True, slots=True)
class Due:
    """A message to send.

    Attributes:
        due: The moment that tells it from the wake's others: as scheduled, or the end of the quiet hours it fell in.
        at: When it may be delivered: `due`, or now for what was missed.
        stands_for: How many scheduled moments it answers.
    """

    due: datetime
    at: datetime
    stands_for: int = 1


def scheduled(wake: Wake, after: datetime, until: datetime) -> list[datetime]:
    """The moments of the schedule in `(after, until]`, oldest first; where there are many, the last thousand."""
    return list(islice(_backwards(wake, after, until), MOST))[::-1]


def following(wake: Wake, after: datetime) -> datetime | None:
    """When the next message is to be expected, quiet hours considered; None if never."""
    if wake.at is not None:
        return out_of_quiet(wake, wake.moment) if wake.moment > after else None
    if wake.every is not None:
        return out_of_quiet(wake, _EPOCH + ((after - _EPOCH) // wake.every + 1) * wake.every)
    steps = _steps(wake, after)
    while True:
        moment: datetime = steps.get_next(datetime).astimezone(UTC)
        if moment > after and not _repeated(wake, moment):
            return out_of_quiet(wake, moment)


def to_send(wake: Wake, after: datetime, until: datetime, now: datetime, previous: datetime | None) -> list[Due]:
    """What to send for the moments in `(after, until]`, oldest first.

    Args:
        wake: The wake.
        after: Up to where it was seen to before.
        until: Up to where it is seen to now, a little in the future.
        now: The time.
        previous: When its last message could be delivered.
    """
    moments = scheduled(wake, after, until)
    missed = [moment for moment in moments if out_of_quiet(wake, moment) < now - GRACE]
    coming = [Due(moment, moment) for moment in moments[len(missed) :]]
    dues = [*_caught_up(wake, missed), *coming]
    found: dict[datetime, Due] = {}
    for due in dues:
        shifted = out_of_quiet(wake, due.due)
        same = found.get(shifted)
        count = due.stands_for + (same.stands_for if same else 0)
        found[shifted] = Due(shifted, _no_sooner(wake, shifted, now), count)
    return _spaced(wake, list(found.values()), previous)


def advance(
    wake: Wake, known: Mapping[str, Any], *, now: datetime, until: datetime
) -> tuple[list[Due], dict[str, str]]:
    """What to send up to `until`, and what to remember for the next time.

    Args:
        wake: The wake.
        known: What was remembered: `digest`, `after`, `due` and `at`; nothing where it is new.
        now: The time.
        until: Up to where it is seen to.
    """
    start = NEVER if wake.at is not None else now
    after = parse_time(known["after"]) if "after" in known else start
    last_due = parse_time(known["due"]) if known.get("due") else NEVER
    previous = parse_time(known["at"]) if known.get("at") else None
    dues = [due for due in to_send(wake, after, until, now, previous) if due.due > last_due]
    values = {"digest": wake.digest, "after": format_time(max(until, after))}
    values["due"] = format_time(dues[-1].due) if dues else str(known.get("due", ""))
    values["at"] = format_time(dues[-1].at) if dues else str(known.get("at", ""))
    return dues, values


def out_of_quiet(wake: Wake, moment: datetime) -> datetime:
    """The moment, or the end of the quiet hours it is in."""
    zone = ZoneInfo(wake.zone)
    for _ in wake.quiet:
        local = moment.astimezone(zone)
        for begin, end in wake.quiet_hours:
            clock = local.time().replace(tzinfo=None)
            if begin <= clock < end if begin < end else clock >= begin or clock < end:
                day = local.date() + timedelta(days=1 if begin > end and clock >= begin else 0)
                moment = datetime.combine(day, end, zone).astimezone(UTC)
                break
        else:
            return moment
    return moment


def _caught_up(wake: Wake, missed: list[datetime]) -> list[Due]:
    if not missed or wake.catch_up == "skip":
        return []
    if wake.catch_up == "all":
        return [Due(moment, moment) for moment in missed[-CAUGHT_UP:]]
    return [Due(missed[-1], missed[-1], len(missed))]


def _no_sooner(wake: Wake, moment: datetime, now: datetime) -> datetime:
    return moment if moment >= now else out_of_quiet(wake, now)


def _spaced(wake: Wake, dues: list[Due], previous: datetime | None) -> list[Due]:
    kept: list[Due] = []
    for due in dues:
        if wake.spacing and previous is not None and due.at - previous < wake.spacing:
            continue
        previous = due.at
        kept.append(due)
    return kept


def _backwards(wake: Wake, after: datetime, until: datetime) -> Iterator[datetime]:
    if wake.at is not None:
        if after < wake.moment <= until:
            yield wake.moment.astimezone(UTC)
        return
    if wake.every is not None:
        moment = _EPOCH + (until - _EPOCH) // wake.every * wake.every
        while moment > after:
            yield moment
            moment -= wake.every
        return
    steps = _steps(wake, until + timedelta(seconds=1))
    while (moment := steps.get_prev(datetime).astimezone(UTC)) > after:
        if moment <= until and not _repeated(wake, moment):
            yield moment


def _steps(wake: Wake, start: datetime) -> Any:
    from croniter import croniter

    local = start.astimezone(ZoneInfo(wake.zone))
    return croniter(wake.cron, local, second_at_beginning=True, day_or=False)


def _repeated(wake: Wake, moment: datetime) -> bool:
    """Whether the clocks were put back and the hour, which the schedule fixes, had been before."""
    hour = (wake.cron or "").split()[2]
    return not hour.startswith("*") and moment.astimezone(ZoneInfo(wake.zone)).fold == 1
