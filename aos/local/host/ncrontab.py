"""NCRONTAB schedules: `{second} {minute} {hour} {day} {month} {day of week}`, in UTC."""

from __future__ import annotations

import re
from datetime import datetime

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

from aos.kernel.errors import SettingInvalid
from aos.local.host.timespan import is_timespan

_FIELDS = ("second", "minute", "hour", "day", "month", "day of week")
_NUMBERS = re.compile(r"[0-9*,/-]+")
_NAMES = re.compile(r"[0-9A-Za-z*,/-]+")
_LETTERS_ALLOWED = ("month", "day of week")
_WORDS = frozenset(
    "jan feb mar apr may jun jul aug sep oct nov dec sun mon tue wed thu fri sat".split()  # noqa: SIM905
)


class Schedule:
    """When a timer is due. A day must match both day fields, as NCRONTAB has it (cron wants either)."""

    def __init__(self, expression: str, needed_by: str) -> None:
        """Read an expression; five fields leave out the second, which is 0 then.

        Raises:
            SettingInvalid: it is not a schedule, or one that never comes; the message says what is wrong.
        """
        fields = expression.split()
        self.expression = expression
        if is_timespan(expression):
            raise SettingInvalid(
                f"{needed_by} has the TimeSpan schedule {expression!r}. Flex Consumption does not run those: "
                "write it as NCRONTAB, such as '0 */5 * * * *' for every five minutes."
            )
        if len(fields) == 5:
            fields = ["0", *fields]
        if len(fields) != 6:
            raise _bad(needed_by, expression, f"it has {len(fields)} fields")
        for name, field in zip(_FIELDS, fields, strict=True):
            if not _readable(name, field):
                raise _bad(needed_by, expression, f"the {name} cannot be {field!r}")
        self._fields = " ".join(fields)
        try:
            self.after(datetime(2024, 1, 1))  # noqa: DTZ001  # any time does: does it ever come?
        except CroniterBadDateError as error:
            raise _bad(needed_by, expression, "it never comes") from error
        except (CroniterBadCronError, ValueError) as error:
            raise _bad(needed_by, expression, str(error)) from error

    def after(self, moment: datetime) -> datetime:
        """The first time it is due that is later than the moment."""
        following = croniter(self._fields, moment, second_at_beginning=True, day_or=False)
        due: datetime = following.get_next(datetime)
        return due


def _readable(name: str, field: str) -> bool:
    if name not in _LETTERS_ALLOWED:
        return _NUMBERS.fullmatch(field) is not None
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", field)}
    return _NAMES.fullmatch(field) is not None and words <= _WORDS


def _bad(needed_by: str, expression: str, why: str) -> SettingInvalid:
    return SettingInvalid(
        f"{needed_by} has the schedule {expression!r}: {why}. A schedule has six fields, "
        "{second} {minute} {hour} {day} {month} {day of week}, such as '0 30 9 * * 1-5'."
    )
