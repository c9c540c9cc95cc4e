"""Money: what is reserved, what is booked, and what is refused."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import date

import pytest

from aos.kernel.errors import CommitAmbiguous, StoreUnavailable, TerminalError
from aos.kernel.ports import Entity, Operation
from aos.llm import errors as e
from aos.llm.budgets import Budget, BudgetExceeded, Budgets
from aos.llm.ledger import Account, MemoryLedger, TableLedger
from aos.llm.prices import Price
from aos.llm.request import ModelRequest
from aos.llm.response import Usage
from aos.llm.route import CallContext, Route
from aos.llm.router_settings import RouterSettings
from aos.llm.tries import AllModelsFailed
from aos.testing.clock import SeededIds, VirtualClock
from aos.testing.tables import MemoryTableStore
from tests.llm.scripted import Stage, profile, said, stage

# One input token is estimated as such, and 1,000 output tokens are asked for: about 1 USD a call.
ASK = ModelRequest.ask("Hello", max_tokens=1_000)
PRICES = tuple(Price(provider=name, model=f"{name}-1", input=0, output=1_000, since=date(2025, 1, 1)) for name in "abc")
CTO = CallContext(agent="cto", task="task-1", team="core", purpose="reviews")


def settings(*budgets: Budget, **more: object) -> RouterSettings:
    return RouterSettings.model_validate({"budgets": budgets, "prices": PRICES, "estimate_margin": 1.0, **more})


async def spent(scene: Stage, context: CallContext = CTO) -> list[tuple[float, float]]:
    assert scene.router.budgets is not None
    return [(s.spent, s.reserved) for s in await scene.router.budgets.standing(context)]


def costing(output_tokens: int) -> list[object]:
    return [said(usage=Usage(input_tokens=5, output_tokens=output_tokens)) for _ in range(50)]


async def test_what_the_answer_really_cost_is_booked() -> None:
    scene = stage(settings=settings(Budget(scope="agent", usd=5)), a=[said(usage=Usage(output_tokens=250))])
    await scene.router.complete(ASK, context=CTO)
    assert await spent(scene) == [(0.25, 0.0)]


@pytest.mark.parametrize("scope", ["task", "agent", "team", "purpose", "all"])
async def test_a_refused_call_names_the_budget_and_asks_nobody(scope: str) -> None:
    scene = stage(settings=settings(Budget.model_validate({"scope": scope, "usd": 1.5})))
    scene.script.plays["a"] = costing(1_000)  # type: ignore[assignment]
    await scene.router.complete(ASK, context=CTO)
    with pytest.raises(BudgetExceeded) as caught:
        await scene.router.complete(ASK, context=CTO)
    assert len(scene.script.seen) == 1
    assert isinstance(caught.value, TerminalError)
    assert caught.value.details["scope"] == scope
    assert caught.value.details["spent_usd"] == 1.0
    assert "1.50 USD for" in caught.value.message
    assert scene.router.limits.in_flight("a") == 0


async def test_each_subject_has_an_account_of_its_own() -> None:
    scene = stage(settings=settings(Budget(scope="agent", usd=1)))
    scene.script.plays["a"] = costing(1_000)  # type: ignore[assignment]
    await scene.router.complete(ASK, context=CTO)
    await scene.router.complete(ASK, context=CallContext(agent="cfo"))
    with pytest.raises(BudgetExceeded, match="agent 'cto'"):
        await scene.router.complete(ASK, context=CTO)


async def test_of_two_budgets_on_one_account_the_smaller_counts() -> None:
    scene = stage(settings=settings(Budget(scope="agent", usd=50), Budget(scope="agent", subject="cto", usd=0.5)))
    with pytest.raises(BudgetExceeded, match=r"0\.50 USD"):
        await scene.router.complete(ASK, context=CTO)
    await scene.router.complete(ASK, context=CallContext(agent="cfo"))


async def test_a_budget_of_a_call_counts_its_failed_tries() -> None:
    costly = e.EmptyAnswer("nothing in it", partial=said(usage=Usage(output_tokens=900)))
    scene = stage(settings=settings(Budget(scope="call", usd=1.5)), a=[costly])
    with pytest.raises(BudgetExceeded, match="for a call"):
        await scene.router.complete(ASK)
    assert scene.script.asked == ["a"]


async def test_a_failure_gives_the_reservation_back() -> None:
    scene = stage(profile("a"), settings=settings(Budget(scope="agent", usd=1)), a=[e.ModelTimedOut("slow"), said()])
    with pytest.raises(AllModelsFailed):
        await scene.router.complete(ASK, context=CTO)
    assert await spent(scene) == [(0.0, 0.0)]


async def test_a_failed_answer_that_was_paid_for_is_booked() -> None:
    partial = said(usage=Usage(output_tokens=400))
    scene = stage(
        profile("a"),
        settings=settings(Budget(scope="agent", usd=5)),
        a=[e.AnswerTruncated("too long", partial=partial, recourse=e.Recourse.STOP)],
    )
    with pytest.raises(e.AnswerTruncated):
        await scene.router.complete(ASK, context=CTO)
    assert await spent(scene) == [(0.4, 0.0)]


async def test_the_budget_is_looked_at_again_for_each_fallback() -> None:
    dear = Price(provider="b", model="b-1", input=0, output=9_000, since=date(2025, 1, 1))
    scene = stage(
        settings=settings(Budget(scope="agent", usd=2), prices=(PRICES[0], dear)), a=[e.ModelTimedOut("slow")]
    )
    with pytest.raises(BudgetExceeded):
        await scene.router.complete(ASK, context=CTO)
    assert scene.script.asked == ["a"]
    assert await spent(scene) == [(0.0, 0.0)]


async def test_a_model_of_unknown_price_is_not_asked_while_a_budget_is_in_force() -> None:
    scene = stage(profile("x"), profile("a", priority=60), settings=settings(Budget(scope="agent", usd=5)))
    assert (await scene.router.complete(ASK, context=CTO)).provider == "a"
    assert (await scene.router.complete(ASK)).provider == "x", "no budget concerns this call"
    with pytest.raises(AllModelsFailed, match="price is not known"):
        await scene.router.complete(ASK, Route(force="x"), context=CTO)


async def test_an_unknown_price_may_be_assumed() -> None:
    scene = stage(profile("x"), settings=settings(Budget(scope="agent", usd=5), unknown_price=1_000))
    scene.script.plays["x"] = [said(usage=Usage(input_tokens=500, output_tokens=500))]
    answer = await scene.router.complete(ASK, context=CTO)
    assert answer.cost is None
    assert await spent(scene) == [(1.0, 0.0)]


async def test_a_new_day_starts_anew_and_a_month_does_not() -> None:
    budgets = (Budget(scope="agent", usd=1), Budget(scope="agent", usd=2, period="month"))
    scene = stage(settings=settings(*budgets))
    scene.script.plays["a"] = costing(1_000)  # type: ignore[assignment]
    await scene.router.complete(ASK, context=CTO)
    with pytest.raises(BudgetExceeded, match="a day"):
        await scene.router.complete(ASK, context=CTO)
    scene.clock.advance(86_400)
    await scene.router.complete(ASK, context=CTO)
    scene.clock.advance(86_400)
    with pytest.raises(BudgetExceeded, match="a month"):
        await scene.router.complete(ASK, context=CTO)


async def test_a_stream_that_is_closed_early_is_paid_for_as_far_as_it_came() -> None:
    scene = stage(settings=settings(Budget(scope="agent", usd=5)), a=[said("abcdefgh ijklmnop")])
    stream = scene.router.stream(ASK, context=CTO)
    await anext(stream)
    await stream.aclose()
    assert await spent(scene) == [(0.002, 0.0)]


async def test_concurrent_calls_of_two_routers_cannot_overspend() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    scenes = [
        stage(clock=clock, tables=tables, seed=seed, settings=settings(Budget(scope="agent", usd=7.5)))
        for seed in ("one", "two")
    ]
    for scene in scenes:
        scene.script.plays["a"] = costing(1_000)  # type: ignore[assignment]
    calls = [scene.router.complete(ASK, context=CTO) for scene in scenes for _ in range(10)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 13
    assert sum(len(scene.script.seen) for scene in scenes) == 7
    assert await spent(scenes[0]) == await spent(scenes[1]) == [(7.0, 0.0)]


async def test_a_restarted_router_knows_what_was_spent_and_forgets_dead_reservations() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    budget = Budget(scope="agent", usd=2.5)
    before = stage(clock=clock, tables=tables, seed="before", settings=settings(budget))
    before.script.plays["a"] = costing(1_000)  # type: ignore[assignment]
    await before.router.complete(ASK, context=CTO)
    assert before.router.budgets is not None
    await before.router.budgets.reserve(CTO, 1.0)

    after = stage(clock=clock, tables=tables, seed="after", settings=settings(budget))
    after.script.plays["a"] = costing(1_000)  # type: ignore[assignment]
    with pytest.raises(BudgetExceeded):
        await after.router.complete(ASK, context=CTO)
    clock.advance(901)
    await after.router.complete(ASK, context=CTO)
    assert (await spent(after))[0][0] == 2.0


class Unreliable(MemoryTableStore):
    """Loses answers to writes, or refuses them."""

    def __init__(self) -> None:
        super().__init__()
        self.ambiguous = 0
        self.down = False

    async def get(self, table: str, partition: str, row: str) -> Entity | None:
        if self.down:
            raise StoreUnavailable("The table service is out of reach.")
        return await super().get(table, partition, row)

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        if self.down:
            raise StoreUnavailable("The table service is out of reach.")
        result = await super().commit(table, operations)
        if self.ambiguous:
            self.ambiguous -= 1
            raise CommitAmbiguous("The answer was lost.")
        return result


def budgets_on(tables: MemoryTableStore, clock: VirtualClock) -> Budgets:
    async def at_once(_: float) -> None:
        return None

    ledger = TableLedger(tables, SeededIds("ledger"), sleep=at_once)
    return Budgets([Budget(scope="agent", usd=10)], ledger, clock, SeededIds("budgets"))


async def test_a_write_whose_answer_was_lost_counts_once() -> None:
    tables, clock = Unreliable(), VirtualClock()
    budgets = budgets_on(tables, clock)
    tables.ambiguous = 1
    reservation = await budgets.reserve(CTO, 1.0)
    assert [s.reserved for s in await budgets.standing(CTO)] == [1.0]
    tables.ambiguous = 1
    await reservation.settle(0.6)
    await reservation.settle(0.6)
    assert [(s.spent, s.reserved, s.left) for s in await budgets.standing(CTO)] == [(0.6, 0.0, 9.4)]


async def test_without_its_accounts_nothing_is_spent_and_what_was_spent_is_booked_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tables, clock = Unreliable(), VirtualClock()
    budgets = budgets_on(tables, clock)
    reservation = await budgets.reserve(CTO, 1.0)
    tables.down = True
    await reservation.settle(0.6)
    assert "could not be booked yet" in caplog.text
    with pytest.raises(StoreUnavailable):
        await budgets.reserve(CTO, 1.0)
    tables.down = False
    await (await budgets.reserve(CTO, 1.0)).settle(0.0)
    assert [(s.spent, s.reserved) for s in await budgets.standing(CTO)] == [(0.6, 0.0)]


async def test_a_memory_ledger_keeps_the_same_rules() -> None:
    budgets = Budgets([Budget(scope="all", usd=1)], MemoryLedger(), VirtualClock(), SeededIds())
    held = await budgets.reserve(CallContext(), 0.9)
    with pytest.raises(BudgetExceeded, match=r"0\.9000 USD reserved"):
        await budgets.reserve(CallContext(), 0.2)
    await held.settle(0.1)
    await budgets.reserve(CallContext(), 0.2)


def test_an_account_survives_being_written_down() -> None:
    account = Account(5)
    assert account.reserve("r", 3, 10, now=0, until=9)
    account.settle("s", 1)
    assert Account.loads(account.dumps()) == account


SPEND = """
import asyncio, sys
from aos.azure.tables import AzureTableStore
from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.errors import TerminalError
from aos.llm.budgets import Budget, Budgets
from aos.llm.ledger import TableLedger
from aos.llm.route import CallContext
from aos.azure.identity import storage_connection

async def main():
    tables = AzureTableStore(storage_connection({}, sys.argv[1]))
    ids = RandomIds()
    budgets = Budgets([Budget(scope="agent", usd=1.0)], TableLedger(tables, ids, table=sys.argv[2]), SystemClock(), ids)
    context = CallContext(agent="cto")
    async def call():
        try:
            reservation = await budgets.reserve(context, 0.1)
        except TerminalError:
            return 0
        await reservation.settle(0.1)
        return 1
    print(sum(await asyncio.gather(*(call() for _ in range(12)))))
    await tables.close()

asyncio.run(main())
"""


async def test_two_processes_cannot_overspend(azurite: str) -> None:
    async def process() -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SPEND, azurite, "budgetrace", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
        assert child.returncode == 0
        return int(out)

    granted = await asyncio.gather(process(), process())
    assert sum(granted) == 10
