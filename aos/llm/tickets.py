"""Tickets: leave to make one try. Breakers, limits and budgets each have a say, and each is told how it went."""

from __future__ import annotations

from dataclasses import dataclass

from aos.kernel.ports import Clock
from aos.llm.budgets import Budgets, Reservation
from aos.llm.candidates import Candidate, Needs
from aos.llm.errors import ModelError
from aos.llm.health import Admission, Health
from aos.llm.limits import Load, ProviderLimits
from aos.llm.response import Cost, RateLimits, Usage
from aos.llm.route import CallContext
from aos.llm.router_settings import RouterSettings
from aos.llm.spending import SpendingLog
from aos.llm.statistics import Statistics
from aos.reliability.bulkhead import Bulkhead
from aos.reliability.errors import CircuitBreakerOpenError

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a model is not asked now.

    Attributes:
        wait: Seconds after which it is worth looking again; None where waiting is of no use.
        bulkhead: Where a place must become free.
        returns: Seconds after which another call may find it gone, though this one does not wait for that.
    """

    candidate: Candidate
    reason: str
    wait: float | None = None
    bulkhead: Bulkhead | None = None
    returns: float | None = None


class Ticket:
    """One try under way. It ends with `succeeded`, `failed` or `abandoned`; the first of them counts."""

    def __init__(
        self,
        office: TicketOffice,
        candidate: Candidate,
        admission: Admission,
        load: Load,
        reservation: Reservation | None,
    ) -> None:
        self.candidate = candidate
        self.started = office.clock.monotonic()
        self._office = office
        self._admission = admission
        self._load = load
        self._reservation = reservation
        self._open = True

    @property
    def elapsed(self) -> float:
        return self._office.clock.monotonic() - self.started

    async def succeeded(self, usage: Usage, rate_limits: RateLimits | None) -> Cost | None:
        """Book a good answer.

        Returns:
            What it cost; None where the price is not known.
        """
        seconds, price = self.elapsed, self.candidate.price
        cost = None if price is None else price.cost(usage)
        if self._leave(usage, rate_limits):
            office = self._office
            office.health.succeeded(self.candidate, self._admission, seconds)
            usd = None if cost is None else cost.usd
            office.statistics.succeeded(*self.candidate.key, seconds, usage, usd)
            await self._settle(usage)
            if office.spending is not None:
                await office.spending.record(*self.candidate.key, usage, usd, seconds, success=True)
        return cost

    async def failed(self, error: ModelError) -> float:
        """Book a failure. What had arrived by then is paid for.

        Returns:
            US dollars it cost.
        """
        usage = error.partial.usage if error.partial is not None else None
        if not self._leave(usage, error.rate_limits):
            return 0.0
        office, usd = self._office, self._usd(usage)
        office.health.failed(self.candidate, self._admission, error)
        office.statistics.failed(*self.candidate.key, usd)
        await self._settle(usage)
        if office.spending is not None:
            await office.spending.record(*self.candidate.key, usage or Usage(), usd, self.elapsed, success=False)
        return usd

    async def abandoned(self, usage: Usage | None = None) -> None:
        """The caller does not want the answer any more; `usage` is what had arrived."""
        if self._leave(usage, None):
            self._admission.released()
            await self._settle(usage)

    def _leave(self, usage: Usage | None, told: RateLimits | None) -> bool:
        was_open, self._open = self._open, False
        if was_open:
            used = None if usage is None else Load(usage.input_tokens, usage.output_tokens)
            limits = self._office.limits
            limits.gate(self.candidate).leave(self._load, used, told)
            limits.bulkhead(self.candidate).release()
        return was_open

    async def _settle(self, usage: Usage | None) -> None:
        if self._reservation is not None:
            await self._reservation.settle(self._usd(usage))
        await self._office.health.breakers.publish()

    def _usd(self, usage: Usage | None) -> float:
        if usage is None:
            return 0.0
        if self.candidate.price is None:
            return (self._office.settings.unknown_price or 0.0) * usage.total_tokens / _MILLION
        return self.candidate.price.cost(usage).usd


class TicketOffice:
    """Lets tries through.

    Args:
        health: Breakers.
        limits: Rates and bulkheads.
        budgets: None where no money is counted.
        statistics: What is told of each try.
        settings: For estimates.
        clock: The time.
        spending: Where each try is written down; None where that is not wanted.
    """

    def __init__(
        self,
        health: Health,
        limits: ProviderLimits,
        budgets: Budgets | None,
        statistics: Statistics,
        settings: RouterSettings,
        clock: Clock,
        spending: SpendingLog | None = None,
    ) -> None:
        self.health = health
        self.limits = limits
        self.budgets = budgets
        self.statistics = statistics
        self.settings = settings
        self.clock = clock
        self.spending = spending

    async def admit(
        self, candidate: Candidate, needs: Needs, context: CallContext, *, already: float = 0.0, has_place: bool = False
    ) -> Ticket | Obstacle:
        """A ticket for one try, or what stands in its way.

        Args:
            candidate: Whom to ask.
            needs: What the call takes.
            context: On whose account.
            already: US dollars that earlier tries of the call cost.
            has_place: The caller waited for the bulkhead and holds a place of it, which the ticket takes over.

        Raises:
            BudgetExceeded: a budget has no room.
        """
        load = self._load(needs)
        counted = self.budgets is not None and self.budgets.concern(context)
        usd = self._estimate(candidate, load)
        if counted and usd is None:
            return Obstacle(candidate, "its price is not known, and a budget is in force")
        gate, bulkhead = self.limits.gate(candidate), self.limits.bulkhead(candidate)
        if (wait := gate.wait(load)) > 0:
            return Obstacle(candidate, f"its rate limit is reached for another {wait:.1f} s", wait)
        if not has_place and not bulkhead.try_acquire():
            return Obstacle(candidate, f"{bulkhead.active} calls to it are under way", bulkhead=bulkhead)
        kept = False
        try:
            admission = await self.health.admit(candidate)
            try:
                reservation = await self._reserve(context, usd, already) if counted else None
            except BaseException:
                admission.released()
                raise
            gate.enter(load)
            kept = True
            return Ticket(self, candidate, admission, load, reservation)
        except CircuitBreakerOpenError as error:
            return Obstacle(candidate, error.message, self.health.pause(candidate), returns=error.retry_after)
        finally:
            if not kept and not has_place:
                bulkhead.release()

    async def _reserve(self, context: CallContext, usd: float | None, already: float) -> Reservation | None:
        if self.budgets is None or usd is None:
            return None
        return await self.budgets.reserve(context, usd * self.settings.estimate_margin, already=already)

    def _load(self, needs: Needs) -> Load:
        if needs.embeddings:
            return Load(needs.input_tokens, 0)
        return Load(needs.input_tokens, needs.output_tokens or self.settings.assumed_output_tokens)

    def _estimate(self, candidate: Candidate, load: Load) -> float | None:
        usd = candidate.usd(load.input_tokens, load.output_tokens)
        if usd is None and self.settings.unknown_price is not None:
            usd = self.settings.unknown_price * load.of("tokens") / _MILLION
        return usd
