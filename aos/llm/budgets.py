"""Budgets: money is set aside before a model is asked, and what the answer really cost is booked after it.

A reservation nobody settles, because its process died, ends by itself.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aos.kernel.errors import InfrastructureError, TerminalError, Throttled
from aos.kernel.ports import Clock, Ids
from aos.llm.ledger import MICRO, Account, Ledger
from aos.llm.route import CallContext

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)
_log = logging.getLogger(__name__)

Scope = Literal["call", "task", "agent", "team", "purpose", "all"]


class BudgetExceeded(TerminalError):
    """A call would cost more than a budget has left. `details` name the budget and its numbers."""

    code = "budget_exceeded"
    severity = "warning"


class Budget(BaseModel):
    """How much may be spent.

    Attributes:
        scope: On what: a single call, or the task, agent, team or purpose of the call, or all calls together.
        subject: Which one; `*` gives each one this budget for itself.
        usd: US dollars.
        period: For how long. Days and months are those of UTC. `total` never starts anew. A budget of a call has
            no period.
    """

    model_config = _SHAPE

    scope: Scope
    subject: str = "*"
    usd: float = Field(ge=0)
    period: Literal["day", "month", "total"] = "day"

    def subject_of(self, context: CallContext) -> str | None:
        """Whose account a call goes on; None where the budget does not concern it."""
        if self.scope in ("call", "all"):
            return self.scope
        names = {"task": context.task, "agent": context.agent, "team": context.team, "purpose": context.purpose}
        name = names[self.scope]
        return None if name is None or self.subject not in ("*", name) else f"{self.scope}:{name}"

    def period_of(self, today: date) -> str:
        return {"day": today.isoformat(), "month": today.strftime("%Y-%m"), "total": "total"}[self.period]

    def name_for(self, subject: str) -> str:
        if self.scope == "call":
            return f"{self.usd:.2f} USD for a call"
        whose = "all calls" if self.scope == "all" else f"{self.scope} {subject.removeprefix(self.scope + ':')!r}"
        return f"{self.usd:.2f} USD for {whose}, {'in all' if self.period == 'total' else f'a {self.period}'}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands, in US dollars."""

    name: str
    limit: float
    spent: float
    reserved: float

    @property
    def left(self) -> float:
        return max(0.0, self.limit - self.spent - self.reserved)


@dataclass(frozen=True, slots=True)
class _Entry:
    subject: str
    period: str


class Reservation:
    """Money set aside for one try. Settle it once, with what was really paid; 0 gives all of it back."""

    def __init__(self, budgets: Budgets, id: str, usd: float) -> None:
        self.id = id
        self.usd = usd
        self.entries: list[_Entry] = []
        self._budgets = budgets
        self._settled = False

    async def settle(self, usd: float) -> None:
        if not self._settled:
            self._settled = True
            await self._budgets.settle(self, usd)


class Budgets:
    """Keeps calls within their budgets, among all callers that share the ledger.

    Args:
        budgets: Those in force. All that concern a call must have room for it.
        ledger: Where the accounts are.
        clock: The time.
        ids: For reservations.
        reservation_seconds: After which a reservation that nobody settled ends.
    """

    def __init__(
        self,
        budgets: Iterable[Budget],
        ledger: Ledger,
        clock: Clock,
        ids: Ids,
        *,
        reservation_seconds: float = 900.0,
    ) -> None:
        self._budgets = tuple(budgets)
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._seconds = reservation_seconds
        self._unsettled: list[tuple[_Entry, str, int]] = []

    def concern(self, context: CallContext) -> bool:
        """Whether any budget is in force for a call."""
        return any(budget.subject_of(context) for budget in self._budgets)

    async def reserve(self, context: CallContext, usd: float, *, already: float = 0.0) -> Reservation:
        """Set money aside for a try.

        Args:
            context: On whose account.
            usd: What it may cost.
            already: What earlier tries of the same call cost.

        Raises:
            BudgetExceeded: one of the budgets has no room.
            InfrastructureError: the accounts are out of reach; nothing is spent unaccounted for.
        """
        await self._catch_up()
        reservation = Reservation(self, self._ids.new().replace("-", "")[:16], usd)
        try:
            for entry, budget in self._tightest(context).items():
                if budget.scope == "call":
                    if usd + already > budget.usd:
                        raise _exceeded(budget, entry.subject, usd, already, 0.0)
                else:
                    await self._reserve(budget, entry, reservation)
        except BaseException:
            await reservation.settle(0.0)
            raise
        return reservation

    async def settle(self, reservation: Reservation, usd: float) -> None:
        """Book what was paid. What cannot be booked now is booked with a later call of this process."""
        amount = round(usd * MICRO)
        self._unsettled += [(entry, reservation.id, amount) for entry in reservation.entries]
        try:
            await self._catch_up()
        except (InfrastructureError, Throttled) as error:
            _log.warning("Model costs could not be booked yet: %s", error.message)

    async def standing(self, context: CallContext) -> list[Standing]:
        """Where the accounts of a call stand."""
        found = []
        for budget in self._budgets:
            subject = budget.subject_of(context)
            if subject is None or subject == "call":
                continue
            account = await self._ledger.read(subject, budget.period_of(self._clock.now().date()))
            name = budget.name_for(subject)
            found.append(Standing(name, budget.usd, account.spent / MICRO, account.held / MICRO))
        return found

    def _tightest(self, context: CallContext) -> dict[_Entry, Budget]:
        """For each account a call goes on, the smallest budget that concerns it."""
        today = self._clock.now().date()
        found: dict[_Entry, Budget] = {}
        for budget in self._budgets:
            subject = budget.subject_of(context)
            if subject is not None:
                entry = _Entry(subject, budget.period_of(today))
                known = found.get(entry)
                found[entry] = budget if known is None or budget.usd < known.usd else known
        return found

    async def _reserve(self, budget: Budget, entry: _Entry, reservation: Reservation) -> None:
        now = self._clock.now().timestamp()
        amount, limit = math.ceil(reservation.usd * MICRO), round(budget.usd * MICRO)
        # Entered first, so that a caller who is cancelled here still gives back what may have been set aside.
        reservation.entries.append(entry)
        fits = await self._ledger.update(
            entry.subject,
            entry.period,
            lambda account: account.reserve(reservation.id, amount, limit, now, now + self._seconds),
        )
        if not fits:
            reservation.entries.remove(entry)
            account = await self._ledger.read(entry.subject, entry.period)
            raise _exceeded(budget, entry.subject, reservation.usd, account.spent / MICRO, account.held / MICRO)

    async def _catch_up(self) -> None:
        while self._unsettled:
            entry, id, amount = self._unsettled[0]
            await self._ledger.update(entry.subject, entry.period, partial(Account.settle, id=id, amount=amount))
            if self._unsettled and self._unsettled[0] == (entry, id, amount):
                self._unsettled.pop(0)


def _exceeded(budget: Budget, subject: str, usd: float, spent: float, reserved: float) -> BudgetExceeded:
    name = budget.name_for(subject)
    return BudgetExceeded(
        f"The model call may cost {usd:.4f} USD, which the budget of {name} has no room for: {spent:.4f} USD are spent "
        f"and {reserved:.4f} USD reserved. Raise the budget or wait for its next period.",
        details={
            "budget": name,
            "scope": budget.scope,
            "subject": subject,
            "period": budget.period,
            "limit_usd": budget.usd,
            "spent_usd": round(spent, 6),
            "reserved_usd": round(reserved, 6),
            "asked_usd": round(usd, 6),
        },
    )
