"""Lengths of time as people write them: `30s`, `1h30m`, ISO 8601 `PT5M`, or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_SHORT = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_ISO = re.compile(r"P(?=.)(?:\d+W|(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)")
_ISO_PART = re.compile(r"(\d+(?:\.\d+)?)([WDHMS])")
LONGEST = timedelta(days=3_660)


def parse_duration(value: Any) -> Any:
    """A `timedelta` for what is a duration; raises ValueError for what is none."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_wrong(value))  # noqa: TRY004  # pydantic collects ValueErrors only
    try:
        length = timedelta(seconds=_seconds(value.strip()) if isinstance(value, str) else value)
    except (OverflowError, ValueError) as error:
        raise ValueError(_wrong(value)) from error
    if length > LONGEST:
        raise ValueError(f"{value!r} is too long; ten years at most")
    return length


def _seconds(text: str) -> float:
    if _SHORT.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if _ISO.fullmatch(text):
        return sum(float(number) * _UNITS[unit.lower()] for number, unit in _ISO_PART.findall(text))
    return float(text)


def _wrong(value: Any) -> str:
    return f"{value!r} is not a duration; write '30s', '5m', '2h', '7d', 'PT5M', or a number of seconds"


def _not_negative(length: timedelta) -> timedelta:
    if length < timedelta():
        raise ValueError("a duration cannot be less than zero")
    return length


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta():
        raise ValueError("a duration must be longer than zero here")
    return length


def _written(length: timedelta) -> str:
    """ISO 8601 in seconds; pydantic's own writing makes years of 365 days."""
    seconds = f"{length.days * 86_400 + length.seconds}.{length.microseconds:06d}".rstrip("0").removesuffix(".")
    return f"PT{seconds}S"


_AS_JSON = PlainSerializer(_written, return_type=str, when_used="json")
Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_not_negative), _AS_JSON]
"""Zero or more; ISO 8601 in JSON."""
PositiveDuration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_positive), _AS_JSON]
