"""Durations as .NET writes them in `host.json`: `[-][d.]hh:mm:ss[.fffffff]`."""

from __future__ import annotations

import re

from aos.kernel.errors import SettingInvalid

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(\.\d{1,7})?")


def is_timespan(text: str) -> bool:
    return _TIMESPAN.fullmatch(text.strip()) is not None


def parse_timespan(text: str, setting: str) -> float:
    """Seconds of a duration such as `00:05:00`.

    Raises:
        SettingInvalid: it is not one; the message names `setting`.
    """
    match = _TIMESPAN.fullmatch(text.strip())
    if match is None or int(match[2]) > 23 or int(match[3]) > 59 or int(match[4]) > 59:
        raise SettingInvalid(
            f"{setting} is {text!r}, which is not a duration. Write it as hh:mm:ss (five minutes: 00:05:00), "
            "with days in front where needed (1.00:00:00)."
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
    return days * 86_400 + hours * 3_600 + minutes * 60 + seconds + float(match[5] or 0)
