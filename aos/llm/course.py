"""The course of one call: which model is asked next, after what pause, and when to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aos.kernel.ports import Clock, Ids
from aos.llm.candidates import Candidate, Catalogue, PassedOver, Search
from aos.llm.errors import (
    CallDeadlineExceeded,
    ContentFiltered,
    MalformedAnswer,
    ModelError,
    RateLimited,
    Recourse,
)
from aos.llm.route import CallContext
from aos.llm.router_settings import RouterSettings
from aos.llm.tickets import Obstacle, Ticket, TicketOffice
from aos.llm.transport import CallTimes
from aos.llm.tries import NoModelFits, Try, all_failed, with_tries
from aos.reliability.bulkhead import Bulkhead
from aos.reliability.errors import BulkheadFullError

_LEAST_TIME = 0.05
_SLACK = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseServices:
    """What a course works with."""

    office: TicketOffice
    catalogue: Catalogue
    settings: RouterSettings
    clock: Clock
    ids: Ids
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Course:
    """The tries of one logical call.

    Args:
        services: What it works with.
        search: What is asked for.
        context: On whose account.
        candidates: In the order in which they are to be asked.
        passed_over: Those that cannot be asked.
        deadline: Moment on the monotonic clock that bounds everything.
        key: Identity of the call.

    Attributes:
        tries: What was tried so far.
    """

    def __init__(
        self,
        services: CourseServices,
        search: Search,
        context: CallContext,
        *,
        candidates: Sequence[Candidate],
        passed_over: Sequence[PassedOver],
        deadline: float,
        key: str,
    ) -> None:
        self.search = search
        self.route = search.route
        self.tries: list[Try] = []
        self._services = services
        self._context = context
        self._pending = list(candidates)
        self._passed_over = [Try(p.provider, p.model, "skipped", message=p.reason) for p in passed_over]
        self._deadline = deadline
        self._key = key
        self._bad_answers = 0
        self._errors: list[ModelError] = []
        self._retries: dict[tuple[str, str], int] = {}
        self._again_at: float | None = None
        self._last: Candidate | None = None
        self._spent = 0.0
        self._place: Bulkhead | None = None

    @property
    def idempotency_key(self) -> str:
        """Of the next try. It changes once an answer came and was no good: the same one would only come again."""
        return f"{self._key[:240]}-{self._bad_answers}" if self._bad_answers else self._key

    @property
    def times(self) -> CallTimes:
        """Of the next try."""
        route = self.route
        return CallTimes(
            deadline=self._deadline,
            whole=route.try_seconds,
            connect=route.connect_seconds,
            first_token=route.first_token_seconds,
            between_tokens=route.between_tokens_seconds,
        )

    async def next(self) -> Ticket:
        """Leave for the next try.

        Raises:
            AllModelsFailed: there is nobody left to ask; it lists all tries.
            CallDeadlineExceeded: there is no time left.
            BudgetExceeded: there is no money left.
        """
        if not self._pending and not self.tries:
            raise self._nothing_fits()
        try:
            # Also bounds what storage may take to say whether a call is allowed.
            async with asyncio.timeout(max(self._deadline - self._now, 0.0)):
                return await self._next()
        except TimeoutError:
            raise self._too_late() from None

    async def _next(self) -> Ticket:
        try:
            while True:
                await self._pause_before_retry()
                self._check_deadline()
                obstacles: list[Obstacle] = []
                for candidate in self._in_line():
                    found = await self._admit(candidate)
                    if isinstance(found, Ticket):
                        return await self._begun(found)
                    obstacles.append(found)
                await self._wait(obstacles)
        finally:
            self._leave_place()

    async def succeeded(self, ticket: Ticket, usd: float | None) -> None:
        """Record the try that answered."""
        provider, model = ticket.candidate.key
        self.tries.append(Try(provider, model, "success", round(ticket.elapsed, 3), usd=usd))

    async def failed(self, ticket: Ticket, error: ModelError) -> None:
        """Record a failed try and decide what comes after it. Raises the error where nothing may."""
        seconds = ticket.elapsed
        usd = await ticket.failed(error)
        self._spent += usd
        candidate = ticket.candidate
        self.tries.append(Try.failed(*candidate.key, seconds, error, usd or None))
        self._errors.append(error)
        if isinstance(error, MalformedAnswer) or error.partial is not None:
            self._bad_answers += 1
        recourse = self._recourse(error)
        if recourse is Recourse.STOP:
            raise with_tries(error, self.tries)
        if recourse is Recourse.RETRY and self._plan_retry(candidate, error):
            return
        self._pending.remove(candidate)
        if recourse is Recourse.LARGER_MODEL:
            await self._keep_larger(candidate, error)
        elif self._may_return(candidate, error):
            self._pending.append(candidate)

    def _recourse(self, error: ModelError) -> Recourse:
        if isinstance(error, ContentFiltered) and self.route.allow_filtered_elsewhere:
            return Recourse.FAIL_OVER
        return error.recourse

    def _plan_retry(self, candidate: Candidate, error: ModelError) -> bool:
        """Whether the same model is asked again; if so, `next` waits until the moment has come."""
        done = self._retries.get(candidate.key, 0)
        if done >= self.route.max_retries:
            return False
        pause = self._backoff(done) if error.retry_after is None else error.retry_after
        others = any(other is not candidate for other in self._in_line())
        if not self._fits(pause) or (others and pause > self.route.longest_pause):
            return False
        self._retries[candidate.key] = done + 1
        # A little more than was asked for, as clocks differ.
        self._again_at = self._now + pause + _SLACK
        self._pending.remove(candidate)
        self._pending.insert(0, candidate)
        return True

    def _may_return(self, candidate: Candidate, error: ModelError) -> bool:
        """Whether a model whose limit resets in good time is asked again after all the others."""
        done = self._retries.get(candidate.key, 0)
        if not isinstance(error, RateLimited) or error.retry_after is None or done >= self.route.max_retries:
            return False
        self._retries[candidate.key] = done + 1
        return self._fits(error.retry_after)

    def _backoff(self, done: int) -> float:
        settings = self._services.settings
        pause = min(settings.longest_backoff, settings.first_pause * 2.0**done)
        return pause * (0.75 + 0.5 * self._services.ids.random())

    async def _keep_larger(self, candidate: Candidate, error: ModelError) -> None:
        room = candidate.limits.context_window or self.search.needs.input_tokens
        output = candidate.limits.max_output_tokens or 0
        tried = {(each.provider, each.model) for each in self.tries}

        def is_larger(other: Candidate) -> bool:
            return (other.limits.context_window or 0) > room or (
                error.code == "model_answer_truncated" and (other.limits.max_output_tokens or 0) > output
            )

        larger = [other for other in self._pending if is_larger(other)]
        if self.route.larger_models and self.route.force is None:
            known = {other.key for other in larger} | tried
            found = await self._services.catalogue.larger(candidate, self.search)
            larger += [other for other in found if other.key not in known]
        self._pending = larger
        if not larger:
            raise with_tries(error, self.tries)

    def _in_line(self) -> list[Candidate]:
        """Whom to ask, first to last; no new ones once so many models were tried."""
        most = self.route.max_models
        tried = {(each.provider, each.model) for each in self.tries}
        if most is None or len(tried) < most:
            return list(self._pending)
        return [candidate for candidate in self._pending if candidate.key in tried]

    async def _admit(self, candidate: Candidate) -> Ticket | Obstacle:
        office = self._services.office
        place = self._place is not None and self._place is office.limits.bulkhead(candidate)
        found = await office.admit(candidate, self.search.needs, self._context, already=self._spent, has_place=place)
        if place and isinstance(found, Ticket):
            self._place = None
        return found

    async def _begun(self, ticket: Ticket) -> Ticket:
        statistics, last = self._services.office.statistics, self._last
        if last is not None and last.key == ticket.candidate.key:
            statistics.retries += 1
        elif last is not None:
            statistics.fell_back(last.profile.id, ticket.candidate.profile.id)
        self._last = ticket.candidate
        # Admission took time; nothing is begun after the deadline.
        if self._now >= self._deadline:
            await ticket.abandoned()
            self._check_deadline()
        return ticket

    async def _pause_before_retry(self) -> None:
        again_at, self._again_at = self._again_at, None
        if again_at is not None and again_at > self._now:
            await self._services.sleep(again_at - self._now)

    async def _wait(self, obstacles: Sequence[Obstacle]) -> None:
        """Wait for the first obstacle to go. Raises where none will in time."""
        waits = [o.wait for o in obstacles if o.wait is not None]
        fitting = [wait for wait in waits if self._fits(wait)]
        busy = next((o.bulkhead for o in obstacles if o.bulkhead is not None), None)
        self._leave_place()
        if busy is not None:
            await self._wait_for_place(busy, min([*fitting, self._deadline - self._now]))
        elif fitting:
            await self._services.sleep(max(min(fitting), 0.001))
        else:
            skipped = [Try(*o.candidate.key, "skipped", message=o.reason) for o in obstacles]
            returns = [seconds for o in obstacles if (seconds := o.returns or o.wait) is not None]
            raise all_failed([*self.tries, *skipped, *self._passed_over], self._errors, min(returns, default=None))

    async def _wait_for_place(self, bulkhead: Bulkhead, seconds: float) -> None:
        try:
            await bulkhead.acquire(max(seconds, 0.001))
        except BulkheadFullError as error:
            if bulkhead.waiting >= bulkhead.max_queue:
                skipped = [Try(*c.key, "skipped", message=error.message) for c in self._pending]
                raise all_failed([*self.tries, *skipped, *self._passed_over], self._errors, 1.0) from error
        else:
            self._place = bulkhead

    def _leave_place(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.release()

    def _fits(self, seconds: float) -> bool:
        return self._now + seconds + _LEAST_TIME < self._deadline

    def _check_deadline(self) -> None:
        if self._now >= self._deadline:
            raise self._too_late()

    def _too_late(self) -> ModelError:
        listed = "".join(f"\n- {each.line}" for each in self.tries)
        tries = f" The tries:{listed}" if listed else ""
        late = CallDeadlineExceeded(f"The deadline of the model call has passed without an answer.{tries}")
        return with_tries(late, self.tries)

    def _nothing_fits(self) -> NoModelFits:
        listed = "".join(f"\n- {each.line}" for each in self._passed_over)
        return NoModelFits(
            "No AI model can take this call. Configure a provider or change the route. Passed over:"
            f"{listed or ' none is known.'}",
            tries=self._passed_over,
        )

    @property
    def _now(self) -> float:
        return self._services.clock.monotonic()
