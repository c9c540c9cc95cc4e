"""The model router: agents ask it, and it chooses who answers, fails over, keeps limits and budgets, and counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aos.kernel.ambient import RandomIds, SystemClock
from aos.llm.answer_cache import AnswerCache, as_hit, cache_key
from aos.llm.budgets import Budgets
from aos.llm.candidates import Catalogue, Needs, Search, Selection, Settings
from aos.llm.configured import RememberedSettings
from aos.llm.course import Course, CourseServices
from aos.llm.degrading import degraded
from aos.llm.errors import CallDeadlineExceeded, ModelError
from aos.llm.health import Health, OutagePolicy
from aos.llm.ledger import MemoryLedger, TableLedger
from aos.llm.limits import ProviderLimits
from aos.llm.prices import Prices
from aos.llm.request import EmbeddingRequest, ModelRequest
from aos.llm.response import Delta, EmbeddingResponse, ModelResponse, ReasoningDelta, StreamEnd, TextDelta
from aos.llm.route import CallContext, Route
from aos.llm.router_settings import RouterSettings
from aos.llm.similar_prompts import SimilarPrompts, question, without_question
from aos.llm.spending import SpendingLog
from aos.llm.statistics import Statistics
from aos.llm.strategies import Circumstances, Ranked, order, strategy_of
from aos.llm.streaming import stream_course
from aos.llm.tickets import Ticket, TicketOffice
from aos.llm.transport import ModelTransport
from aos.llm.tries import Try
from aos.reliability.breaker import BreakerPolicy
from aos.reliability.shared_breakers import SharedBreakers
from aos.reliability.single_flight import SingleFlight

if TYPE_CHECKING:
    from aos.kernel.ports import Clock, Ids, TableStore
    from aos.llm.provider import ProviderProfile

R = TypeVar("R", ModelResponse, EmbeddingResponse)
_NOBODY_IN_PARTICULAR = CallContext()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and the tries that led to it. There are none where it came from the cache."""

    response: ModelResponse
    tries: tuple[Try, ...] = ()


class ModelRouter:
    """Answers requests with whichever model is right and well.

    Args:
        transport: Makes single calls.
        providers: Profiles by id.
        endpoints: What is configured of them.
        settings: Routes, budgets, prices and all numbers.
        tables: Where instances share breakers, budgets and cached answers. Without it each process is on its own.
        clock: The time; the transport must go by the same one.
        ids: For calls, reservations and jitter.
        sleep: How to wait.

    Attributes:
        statistics: What was done so far.
        cache: Answers to identical prompts.
        budgets: None where none is in force.
        spending: The record of all calls, where it is kept.
    """

    def __init__(
        self,
        transport: ModelTransport,
        providers: Mapping[str, ProviderProfile],
        endpoints: Settings,
        settings: RouterSettings | None = None,
        *,
        tables: TableStore | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings or RouterSettings()
        self.transport = transport
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or RandomIds()
        self.statistics = Statistics()
        self.configured = RememberedSettings(endpoints, self.clock)
        self.catalogue = Catalogue(providers, Prices(self.settings.prices), self.configured)
        self.health = _health(self.settings, self.clock, self.ids, tables)
        self.limits = ProviderLimits(self.clock, concurrency=self.settings.concurrency, queue=self.settings.queue)
        ledger = MemoryLedger() if tables is None else TableLedger(tables, self.ids, sleep=sleep)
        self.budgets: Budgets | None = None
        if self.settings.budgets:
            self.budgets = Budgets(self.settings.budgets, ledger, self.clock, self.ids)
        self._prompts = SimilarPrompts(self.settings.cache_entries)
        self.cache = AnswerCache(self.clock, tables, entries=self.settings.cache_entries)
        self.spending: SpendingLog | None = None
        if self.settings.record_spending and tables is not None:
            self.spending = SpendingLog(tables, self.clock, self.ids)
        office = TicketOffice(
            self.health, self.limits, self.budgets, self.statistics, self.settings, self.clock, self.spending
        )
        self._services = CourseServices(
            office=office,
            catalogue=self.catalogue,
            settings=self.settings,
            clock=self.clock,
            ids=self.ids,
            sleep=sleep,
        )
        self._flights: SingleFlight[Answered] = SingleFlight()
        self._turn = 0

    async def complete(
        self,
        request: ModelRequest,
        route: Route | None = None,
        *,
        context: CallContext = _NOBODY_IN_PARTICULAR,
        deadline: float | None = None,
    ) -> ModelResponse:
        """An answer.

        Args:
            request: What is asked.
            route: Who may answer; what it leaves open is as settled for the context.
            context: On whose account.
            deadline: Moment on the router's monotonic clock, where it is earlier than the route's `seconds`.

        Raises:
            AllModelsFailed: nobody answered; it lists each try.
            BudgetExceeded: the money does not reach.
            ModelError: a failure that no other model would mend, as a wrong request or a content policy.
        """
        return (await self.answer(request, route, context=context, deadline=deadline)).response

    async def answer(
        self,
        request: ModelRequest,
        route: Route | None = None,
        *,
        context: CallContext = _NOBODY_IN_PARTICULAR,
        deadline: float | None = None,
    ) -> Answered:
        """As `complete`, with the tries that led to the answer."""
        chosen = self.settings.routes.resolve(context, route)
        ends = self._ends(chosen, deadline)
        key = cache_key(request, chosen)
        try:
            if chosen.cache_seconds is None and not chosen.share_identical:
                return await self._ask(request, chosen, context, ends)
            return await self._shared(request, chosen, context, ends, key)
        except ModelError as error:
            stand_in = await degraded(request, chosen.degraded, error, self.cache, key)
            if stand_in is None:
                raise
            return Answered(stand_in)

    async def stream(
        self,
        request: ModelRequest,
        route: Route | None = None,
        *,
        context: CallContext = _NOBODY_IN_PARTICULAR,
        deadline: float | None = None,
    ) -> AsyncGenerator[Delta, None]:
        """An answer as it comes. The last delta is a `StreamEnd`; close the generator to stop earlier.

        Raises:
            ModelError: as for `complete`. After content was given, `partial` holds what had arrived.
        """
        chosen = self.settings.routes.resolve(context, route)
        ends = self._ends(chosen, deadline)
        key = cache_key(request, chosen)
        if chosen.cache_seconds is not None:
            hit = await self._cached(request, key, chosen.cache_seconds)
            if hit is not None:
                for delta in _replayed(hit):
                    yield delta
                return
        course = await self._course(request, chosen, context, ends, streaming=True)
        async with aclosing(stream_course(self.transport, course, request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, StreamEnd) and chosen.cache_seconds is not None:
                    await self.cache.put(key, delta.response)
                yield delta

    async def embed(
        self,
        request: EmbeddingRequest,
        route: Route | None = None,
        *,
        context: CallContext = _NOBODY_IN_PARTICULAR,
        deadline: float | None = None,
    ) -> EmbeddingResponse:
        """Vectors. Name one model in the route: those of different models cannot be compared."""
        chosen = self.settings.routes.resolve(context, route)
        course = await self._course(request, chosen, context, self._ends(chosen, deadline))

        async def attempt(ticket: Ticket) -> EmbeddingResponse:
            sent = request.model_copy(update={"idempotency_key": course.idempotency_key})
            candidate = ticket.candidate
            return await self.transport.embed(candidate.profile, candidate.model, sent, times=course.times)

        return await _run(course, attempt)

    async def select(self, search: Search) -> tuple[list[Ranked], Selection]:
        """Who would be asked, first to last, and who would not; breakers are not looked at."""
        found = await self.catalogue.select(search)
        return order(found.candidates, search.route, self._circumstances(found, search.needs)), found

    def search(self, request: ModelRequest | EmbeddingRequest, route: Route, *, streaming: bool = False) -> Search:
        return Search(route, Needs.of(request, streaming=streaming), self.clock.now().date())

    async def aclose(self) -> None:
        """Tell the other instances what is still untold, and close the connections."""
        await self.health.breakers.publish()
        await self.transport.aclose()

    async def _ask(self, request: ModelRequest, route: Route, context: CallContext, ends: float) -> Answered:
        course = await self._course(request, route, context, ends)

        async def attempt(ticket: Ticket) -> ModelResponse:
            sent = request.model_copy(update={"idempotency_key": course.idempotency_key})
            candidate = ticket.candidate
            return await self.transport.complete(candidate.profile, candidate.model, sent, times=course.times)

        response = await _run(course, attempt)
        return Answered(response, tuple(course.tries))

    async def _shared(
        self, request: ModelRequest, route: Route, context: CallContext, ends: float, key: str
    ) -> Answered:
        """An answer from the cache, from an identical call under way, or a fresh one."""
        if route.cache_seconds is not None:
            hit = await self._cached(request, key, route.cache_seconds)
            if hit is not None:
                return Answered(hit)

        async def work() -> Answered:
            vector = await self._embedded(request, route, context, ends)
            hit = await self._similar(request, route, vector)
            if hit is not None:
                return Answered(hit)
            answered = await self._ask(request, route, context, ends)
            if route.cache_seconds is not None:
                await self.cache.put(key, answered.response)
            if vector is not None:
                self._prompts.add(cache_key(without_question(request), route), vector, key)
            return answered

        try:
            async with asyncio.timeout(max(ends - self.clock.monotonic(), 0.0)):
                answered, shared = await self._flights.run(key, work)
        except TimeoutError:
            raise CallDeadlineExceeded(
                "The deadline of the model call has passed; an identical call is still under way."
            ) from None
        if not shared:
            return answered
        hit = as_hit(request, answered.response)
        if hit is None:
            return await self._ask(request, route, context, ends)
        self.statistics.cached += 1
        return Answered(hit)

    async def _embedded(
        self, request: ModelRequest, route: Route, context: CallContext, ends: float
    ) -> tuple[float, ...] | None:
        """The vector of what is asked, where prompts that are alike may share answers. Without one nothing is lost."""
        if route.similar is None or route.cache_seconds is None or not question(request):
            return None
        embedder = Route(models=(route.embedding_model,) if route.embedding_model else ())
        try:
            found = await self.embed(
                EmbeddingRequest(inputs=(question(request),), purpose="query"), embedder, context=context, deadline=ends
            )
        except ModelError as error:
            _log.warning("Prompts are not compared: %s", error.message)
            return None
        return found.vectors[0]

    async def _similar(
        self, request: ModelRequest, route: Route, vector: tuple[float, ...] | None
    ) -> ModelResponse | None:
        if vector is None or route.similar is None or route.cache_seconds is None:
            return None
        key = self._prompts.find(cache_key(without_question(request), route), vector, route.similar)
        return None if key is None else await self._cached(request, key, route.cache_seconds)

    async def _cached(self, request: ModelRequest, key: str, seconds: float) -> ModelResponse | None:
        stored = await self.cache.get(key, seconds)
        hit = None if stored is None else as_hit(request, stored)
        if hit is not None:
            self.statistics.cached += 1
        return hit

    async def _course(
        self,
        request: ModelRequest | EmbeddingRequest,
        route: Route,
        context: CallContext,
        ends: float,
        *,
        streaming: bool = False,
    ) -> Course:
        search = self.search(request, route, streaming=streaming)
        ranked, found = await self.select(search)
        if strategy_of(route) == "round_robin":
            self._turn += 1
        return Course(
            self._services,
            search,
            context,
            candidates=[each.candidate for each in ranked],
            passed_over=found.passed_over,
            deadline=ends,
            key=request.idempotency_key or self.ids.new(),
        )

    def _circumstances(self, found: Selection, needs: Needs) -> Circumstances:
        return Circumstances(
            standings={c.key: self.health.standing(c, self.limits.in_flight(c.profile.id)) for c in found.candidates},
            input_tokens=needs.input_tokens,
            output_tokens=needs.output_tokens or self.settings.assumed_output_tokens,
            assumed_latency=self.settings.assumed_latency,
            turn=self._turn,
        )

    def _ends(self, route: Route, deadline: float | None) -> float:
        own = self.clock.monotonic() + route.seconds
        return own if deadline is None else min(own, deadline)


async def _run(course: Course, attempt: Callable[[Ticket], Awaitable[R]]) -> R:
    """Try until an answer comes or the course gives up."""
    while True:
        ticket = await course.next()
        try:
            response = await attempt(ticket)
        except ModelError as error:
            await course.failed(ticket, error)
            continue
        except BaseException:
            await ticket.abandoned()
            raise
        cost = await ticket.succeeded(response.usage, response.rate_limits)
        await course.succeeded(ticket, None if cost is None else cost.usd)
        return response.model_copy(update={"cost": cost})


def _replayed(response: ModelResponse) -> list[Delta]:
    """A stored answer as a stream."""
    deltas: list[Delta] = []
    if response.reasoning:
        deltas.append(ReasoningDelta(response.reasoning))
    if response.text:
        deltas.append(TextDelta(response.text))
    return [*deltas, StreamEnd(response)]


def _health(settings: RouterSettings, clock: Clock, ids: Ids, tables: TableStore | None) -> Health:
    breakers = SharedBreakers(
        clock,
        ids,
        tables,
        policy=BreakerPolicy(
            failure_threshold=settings.failure_threshold,
            failure_window=settings.failure_window,
            open_seconds=settings.open_seconds,
            success_threshold=settings.success_threshold,
        ),
        group="models",
        refresh_seconds=settings.share_seconds,
        publish_seconds=settings.share_seconds,
    )
    return Health(breakers, clock, OutagePolicy(long=settings.long_outage, rate_limit=settings.rate_limit_pause))
