"""Reads what providers say about their limits: remaining calls and tokens, and when to come back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aos.llm.response import RateLimits, RateWindow

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WINDOWS = ("requests", "tokens", "input_tokens", "output_tokens")
# Cerebras counts requests by the day and tokens by the minute, and says so in the header's name.
_SPAN = r"(?:-(?:day|hour|minute))?"
_HEADER = re.compile(
    rf"^(?:x|anthropic)-ratelimit-"
    rf"(?:(?P<a>limit|remaining|reset)-(?P<what>requests|tokens)"
    rf"|(?P<what2>requests|tokens|input-tokens|output-tokens)-(?P<b>limit|remaining|reset)){_SPAN}$"
)


def duration(value: str) -> float | None:
    """Seconds in `1s`, `6m0s`, `120ms`, `1h2m` or a plain number; None for anything else."""
    value = value.strip()
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    parts = _DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def moment(value: str, now: datetime) -> float | None:
    """Seconds from now until an RFC 3339 or an HTTP date; None for anything else."""
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after`; header names are lower case."""
    if (precise := headers.get("retry-after-ms")) is not None and (seconds := duration(precise)) is not None:
        return seconds / 1000
    if (value := headers.get("retry-after")) is None:
        return None
    seconds = duration(value)
    return moment(value, now) if seconds is None else seconds


def rate_limits(headers: Mapping[str, str], now: datetime) -> RateLimits | None:
    """The limits an answer's headers report; None where they report none."""
    found: dict[str, dict[str, float | int]] = {}
    for name, value in headers.items():
        match = _HEADER.match(name)
        if match is None:
            continue
        window = (match["what"] or match["what2"]).replace("-", "_")
        field = match["a"] or match["b"]
        number = _reset(value, now) if field == "reset" else _count(value)
        if number is not None:
            found.setdefault(window, {})["reset_after" if field == "reset" else field] = number
    if not found:
        return None
    return RateLimits.model_validate(
        {name: RateWindow.model_validate(found[name]) for name in _WINDOWS if name in found}
    )


def exhausted_for(limits: RateLimits | None) -> float | None:
    """Seconds until the last used-up window is full again; None where no window is used up."""
    if limits is None:
        return None
    windows = (limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens)
    resets = [w.reset_after for w in windows if w and w.remaining == 0 and w.reset_after is not None]
    return max(resets, default=None)


def _reset(value: str, now: datetime) -> float | None:
    seconds = duration(value)
    if seconds is None:
        return moment(value, now)
    # OpenRouter gives the moment in milliseconds since 1970 where others give a duration.
    if seconds > 1e11:
        return max(seconds / 1000 - now.timestamp(), 0.0)
    return seconds


def _count(value: str) -> int | None:
    try:
        return max(int(float(value)), 0)
    except (ValueError, OverflowError):
        return None
