"""The worker library's converter for Service Bus messages, quick with the times that this host writes.

The library tries twelve other formats before theirs, which takes a tenth of a hop.
"""

from __future__ import annotations

import contextlib
import re
from datetime import datetime

from azure.functions.servicebus import ServiceBusMessageInConverter

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")


def write_moment(moment: datetime) -> str:
    """A moment (UTC) as the real host hands it to the worker: with microseconds, without a zone."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


class BusConverter(ServiceBusMessageInConverter, binding=None):
    """Reads what `write_moment` wrote by itself, and leaves the rest to the library."""

    @classmethod
    def _parse_datetime(cls, datetime_str: str | None) -> datetime | None:
        if datetime_str and _WRITTEN.fullmatch(datetime_str):
            with contextlib.suppress(ValueError):
                return datetime.fromisoformat(datetime_str)
        parsed: datetime | None = super()._parse_datetime(datetime_str)
        return parsed
