"""A wake: a moment, or a rhythm of moments, at which an agent is to be woken, as its declaration says."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

if TYPE_CHECKING:
    from aos.agents.fact_wake import FactWake

WAKE_TYPE = "agent.wake"
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+[smhdw])+")
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")

CatchUp = Literal["latest", "all", "skip"]


class Wake(BaseModel):
    """One line of an agent's wake plan. Exactly one of `cron`, `every` and `at` says when.

    Attributes:
        name: Tells it from the agent's other wakes; its messages have the subject `wake:<name>`.
        cron: Five fields, or six with the seconds first, as Azure Functions has them. A day must match both of the
            day fields. A fixed hour that a change of clocks repeats is taken once; one that it skips is made up for.
        every: An interval: `90s`, `15m`, `1h30m`, `1d`. Counted from 1970 in UTC, so that all hosts agree.
        at: One moment. Without an offset it is a moment of `zone`.
        message: Type of the message it sends.
        data: What the message holds; by default which wake it is, when it was due, and how many it stands for.
        zone: Time zone of `cron`, of `at` and of quiet hours: `Europe/Zurich`.
        catch_up: What becomes of those missed in an outage: one message for all (`latest`), each (`all`, the last
            100), none (`skip`).
        spacing: A wake that would come sooner than this after the one before is left out.
        quiet: Hours of the day, as `22:00-07:00`, in which none is sent; one message follows at their end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    cron: str | None = None
    every: timedelta | None = Field(default=None, ge=timedelta(seconds=1))
    at: datetime | None = None
    message: str = Field(default=WAKE_TYPE, min_length=1, max_length=200)
    data: Any = None
    zone: str = "UTC"
    catch_up: CatchUp = "latest"
    spacing: timedelta = Field(default=timedelta(), ge=timedelta())
    quiet: tuple[str, ...] = ()

    @field_validator("every", "spacing", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        if isinstance(value, str) and _DURATION.fullmatch(value):
            parts = re.findall(r"(\d+)([smhdw])", value)
            return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))
        return value

    @field_validator("quiet", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("quiet")
    @classmethod
    def _hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for span in value:
            begin, _, end = span.partition("-")
            if not _QUIET.fullmatch(span) or begin == end:
                raise ValueError(f"{span!r} is not a span of hours such as '22:00-07:00'")
        return value

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"there is no time zone {value!r}; use a name such as 'Europe/Zurich'") from error
        return value

    @field_validator("cron")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        from croniter import CroniterError, croniter

        if value is None:
            return None
        fields = value.split()
        if len(fields) == 5:
            fields = ["0", *fields]
        try:
            if len(fields) != 6:
                raise ValueError(f"it has {len(fields)} fields")
            croniter(" ".join(fields), datetime(2024, 1, 1), second_at_beginning=True, day_or=False).get_next()  # noqa: DTZ001
        except (CroniterError, ValueError) as error:
            raise ValueError(
                f"{value!r} is not a schedule that ever comes ({error}); write `minute hour day month weekday`, "
                "such as '30 7 * * 1-5'"
            ) from error
        return " ".join(fields)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(given is not None for given in (self.cron, self.every, self.at)) != 1:
            raise ValueError(f"wake {self.name!r} needs exactly one of `cron`, `every` and `at`")
        return self

    @staticmethod
    def when(
        *, agent: str, fact: str, name: str | None = None, message: str = WAKE_TYPE, data: Any = None, **condition: Any
    ) -> FactWake:
        """A line that waits for a fact of another agent: `Wake.when(agent="treasury", fact="balance", below=10_000)`.

        Args:
            agent: Whose fact it is.
            fact: Its name.
            name: Of the wake; by default that of the fact.
            message: Type of the message it sends.
            data: What the message holds.
            **condition: `below`, `above`, `at_most`, `at_least`, `equals`, `differs`; all that are given must hold.
        """
        from aos.agents.fact_wake import FactCondition, FactWake

        wanted = FactCondition(agent=agent, fact=fact, **condition)
        return FactWake(name=name or fact, condition=wanted, message=message, data=data)

    @property
    def kind(self) -> str:
        """`cron`, `interval` or `once`."""
        return "cron" if self.cron is not None else "interval" if self.every is not None else "once"

    @property
    def schedule(self) -> str:
        """The schedule in words a person knows from the declaration."""
        if self.cron is not None:
            return self.cron
        return str(self.every) if self.every is not None else self.moment.isoformat()

    @property
    def moment(self) -> datetime:
        """The moment of a one-shot wake."""
        if self.at is None:
            raise ValueError(f"wake {self.name!r} has no moment of its own")
        return self.at if self.at.tzinfo else self.at.replace(tzinfo=ZoneInfo(self.zone))

    @property
    def quiet_hours(self) -> list[tuple[time, time]]:
        return [(time.fromisoformat(span[:5]), time.fromisoformat(span[6:])) for span in self.quiet]

    @property
    def digest(self) -> str:
        """The same for the same schedule; a changed one starts afresh."""
        text = self.model_dump_json(include={"name", "cron", "every", "at", "zone"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]
