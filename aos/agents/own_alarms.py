"""The alarms of agents of types of many: each keeps its own, as reminders of its own.

The alarm clock looks only after the one agent at the address of its type. A tick, a message of the agent to itself,
sends what is due and sets the next; what a wake's handler does or fails to do cannot break the row.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aos.agents.due import Due, advance, following
from aos.agents.fact_wake import FactWake
from aos.agents.turn import Turn
from aos.agents.wake import Wake
from aos.kernel.message import format_time, parse_time

TICK_TYPE = "aos.wake.tick"
ALARMS = "aos.alarms"
_OVERDUE = timedelta(minutes=5)
"""A tick this late is taken for lost, and set again."""


class OwnAlarms:
    """The part of an agent that has to do with the alarms of an instance.

    Attributes:
        type: Its type; an instance's address is another.
        wakes: Its wake plan.
    """

    type: str
    wakes: tuple[Wake | FactWake, ...] = ()

    def own_wakes(self, turn: Turn) -> tuple[Wake | FactWake, ...]:  # noqa: ARG002  # for those who choose
        """The wakes of this instance, asked at the end of each turn. Override it for instances that differ."""
        return self.wakes

    def take_tick(self, turn: Turn) -> bool:
        """Send the wakes that are due; False for any other message."""
        message = turn.message
        if message.type != TICK_TYPE or message.source != turn.agent:
            return False
        wake = self._timed(turn).get(message.data["wake"])
        known = turn.state.get(ALARMS, {}).get(message.data["wake"])
        if wake is None or known is None or known["digest"] != wake.digest:
            return True
        # The bus's clock may be ahead of this host's.
        until = max(turn.now, parse_time(message.data["due"]))
        dues, values = advance(wake, known, now=turn.now, until=until)
        for due in dues:
            turn.send(
                turn.agent,
                wake.message,
                content(wake, due),
                subject=f"wake:{wake.name}",
                at=due.at if due.at > turn.now else None,
            )
        self._set(turn, wake, values, until)
        return True

    def keep_alarms(self, turn: Turn) -> None:
        """Set the alarms of an instance that are new, changed or lost, and take back those it has no more."""
        wakes = self._timed(turn) if turn.agent != self.type else {}
        known = turn.state.get(ALARMS, {})
        for gone in known.keys() - wakes.keys():
            turn.forget(_reminder(gone))
            turn.state[ALARMS] = {name: each for name, each in turn.state[ALARMS].items() if name != gone}
        for name, wake in wakes.items():
            row = known.get(name)
            if row is None or row["digest"] != wake.digest:
                self._set(turn, wake, {"digest": wake.digest, "after": format_time(turn.now)}, turn.now)
            elif row["next"] and parse_time(row["next"]) < turn.now - _OVERDUE:
                self._tick_at(turn, name, turn.now)
                turn.state[ALARMS][name] = {**row, "next": format_time(turn.now)}

    def _timed(self, turn: Turn) -> dict[str, Wake]:
        return {wake.name: wake for wake in self.own_wakes(turn) if isinstance(wake, Wake)}

    def _set(self, turn: Turn, wake: Wake, values: dict[str, str], after: datetime) -> None:
        coming = following(wake, after)
        row = {**values, "next": format_time(coming) if coming else ""}
        turn.state[ALARMS] = {**turn.state.get(ALARMS, {}), wake.name: row}
        if coming is not None:
            self._tick_at(turn, wake.name, coming)

    def _tick_at(self, turn: Turn, name: str, at: datetime) -> None:
        turn.remind(_reminder(name), TICK_TYPE, {"wake": name, "due": format_time(at)}, at=at)


def content(wake: Wake, due: Due) -> Any:
    """What the message of a wake holds."""
    facts = {"wake": wake.name, "due": format_time(due.due), "stands_for": due.stands_for}
    return facts if wake.data is None else wake.data


def _reminder(name: str) -> str:
    return f"wake:{name}"
