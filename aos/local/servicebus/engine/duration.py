"""ISO-8601 durations, as the service reads and writes them: a year has 365 days, a month 30."""

from __future__ import annotations

import re
from datetime import timedelta

from aos.local.servicebus.engine.errors import InvalidArgument

_PATTERN = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
# The service's way to say "for ever" is the longest duration .NET knows.
_FOR_EVER = timedelta(days=10_675_199)
FOR_EVER = "P10675199DT2H48M5.4775807S"


def parse_duration(text: str) -> timedelta | None:
    """The duration, or None for the one that means for ever. Raises InvalidArgument."""
    match = _PATTERN.fullmatch(text.strip())
    parts = {} if match is None else {name: part for name, part in match.groupdict().items() if part}
    if not parts or text.strip().endswith("T"):
        raise InvalidArgument(f"{text!r} is not an ISO-8601 duration such as PT1M or P14D.")
    days = int(parts.get("years", 0)) * 365 + int(parts.get("months", 0)) * 30
    days += int(parts.get("weeks", 0)) * 7 + int(parts.get("days", 0))
    seconds = int(parts.get("hours", 0)) * 3600 + int(parts.get("minutes", 0)) * 60
    if days + seconds // 86400 >= _FOR_EVER.days:
        return None
    return timedelta(days=days, seconds=seconds + float(parts.get("seconds", 0)))


def format_duration(value: timedelta | None) -> str:
    """`PT1M`, `P14D`, `P1DT2H0.5S`; None gives the one that means for ever."""
    if value is None:
        return FOR_EVER
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    if seconds or value.microseconds:
        time += f"{seconds + value.microseconds / 1_000_000:.6f}".rstrip("0").rstrip(".") + "S"
    date = f"{value.days}D" if value.days else ""
    if not date and not time:
        return "PT0S"
    return f"P{date}" + (f"T{time}" if time else "")
