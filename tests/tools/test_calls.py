"""Calls under crashes, retries and failed turns: each tool is called as often as its effect allows, and no more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, AgentPolicy, RetryPolicy, Turn, on
from aos.kernel.errors import InvalidInput, RetryableError, TerminalError, Throttled
from aos.kernel.kernel import Delivery, Kernel
from aos.reliability.retry import RetryConfig
from aos.testing import Fault, FaultPlan, FaultyBus, FaultyTables, SeededIds, SimulatedCrash, crashes
from aos.tools import NotDone, Tool, ToolContext, ToolNotGranted, ToolRefused, Undo, Workbench, tool
from tests.harness import MemorySystem


@dataclass
class Shop:
    """A system outside: what it was asked, and what it sold."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    sold: dict[str, str] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def deal(self, what: str, key: str) -> str:
        self.asked.append((what, key))
        if self.errors:
            raise self.errors.pop(0)
        self.sold[key] = what
        self.done.append(key)
        return f"{what} is done"


class Shopper(BaseModel):
    got: list[str] = []


def tools_of(shop: Shop, **options: Any) -> tuple[Tool, ...]:
    async def cancel(undo: Undo) -> None:
        shop.cancelled.append(undo.idempotency_key)
        shop.sold.pop(undo.idempotency_key, None)

    @tool(effect="read", **options)
    async def look(what: str, context: ToolContext) -> str:
        return shop.deal(what, context.idempotency_key)

    @tool(effect="idempotent", **options)
    async def set_price(what: str, context: ToolContext) -> str:
        return shop.deal(what, context.idempotency_key)

    @tool(effect="reversible", compensation=cancel, **options)
    async def book(what: str, context: ToolContext) -> str:
        return shop.deal(what, context.idempotency_key)

    @tool(effect="irreversible", **options)
    async def pay(what: str, context: ToolContext) -> str:
        return shop.deal(what, context.idempotency_key)

    return look, set_price, book, pay


class Buyer(Agent[Shopper]):
    type = "buyer"
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=3))

    def __init__(self, shop: Shop, *names: str, then: BaseException | None = None, **options: Any) -> None:
        super().__init__()
        self.tools = tools_of(shop, **options)
        self.names = names
        self.then = then

    @on("buy")
    async def buy(self, turn: Turn, state: Shopper, what: str) -> None:
        box = self.toolbox(turn)
        for name in self.names:
            state.got.append(await box.call(name, what=what))
        if self.then is not None:
            raise self.then


def world_of(agent: Agent[Any]) -> MemorySystem:
    world = MemorySystem(agent)

    async def sleep(seconds: float) -> None:
        world.clock.advance(seconds)

    world.registry.surroundings.tools.bench = Workbench(world.clock, SeededIds(3), sleep)
    return world


async def dead(world: MemorySystem) -> list[str]:
    letters, _ = await world.system.kernel.dead_letters.page()
    return [str(letter.error["code"]) for letter in letters]


async def crashed(world: MemorySystem, fault: Fault | None) -> FaultPlan:
    """Have a process deliver what was sent, dying where the fault has it; another one takes over."""
    plan = FaultPlan(*([fault] if fault else []))
    dying = Kernel(
        world.registry,
        tables=FaultyTables(world.tables, plan),
        blobs=world.blobs,
        bus=world.outbox,
        clock=world.clock,
        ids=SeededIds(9),
        settings=world.system.kernel.settings,
    )
    [message] = world.outbox.sent
    try:
        await dying.deliver([Delivery(message.body)])
    except SimulatedCrash:
        await world.system.kernel.deliver([Delivery(message.body, delivery_count=2)])
    return plan


async def places(name: str) -> list[Fault]:
    """Everywhere the process can die while it makes one call."""
    world = world_of(Buyer(Shop(), name))
    await world.system.directory.send("buyer", "buy", "milk")
    return crashes((await crashed(world, None)).log)


@pytest.mark.parametrize("name", ["look", "set_price"])
async def test_wherever_the_process_dies_a_repeatable_call_is_repeated_at_most_with_the_same_key(name: str) -> None:
    repeated = 0
    for fault in await places(name):
        shop = Shop()
        world = world_of(Buyer(shop, name))
        await world.system.directory.send("buyer", "buy", "milk")
        await crashed(world, fault)
        assert await world.state("buyer") == {"got": ["milk is done"]}, fault
        assert len(set(shop.asked)) == 1, fault
        assert len(shop.sold) == 1
        repeated += len(shop.asked) > 1
    assert repeated == 1


async def test_wherever_the_process_dies_a_reversible_call_is_done_once_in_the_end_and_others_are_taken_back() -> None:
    taken_back = 0
    for fault in await places("book"):
        shop = Shop()
        world = world_of(Buyer(shop, "book"))
        await world.system.directory.send("buyer", "buy", "flight")
        await crashed(world, fault)
        assert await world.state("buyer") == {"got": ["flight is done"]}, fault
        assert list(shop.sold.values()) == ["flight"], fault
        taken_back += len(shop.cancelled)
        assert len({key for _, key in shop.asked}) == len(shop.asked), "a call that was taken back has its own key"
    assert taken_back > 0


@pytest.mark.parametrize("executed", [True, False])
async def test_wherever_the_process_dies_an_irreversible_call_never_runs_twice(executed: bool) -> None:
    asked = 0
    for fault in await places("pay"):
        shop = Shop()
        world = world_of(Buyer(shop, "pay"))
        await world.system.directory.send("buyer", "buy", "rent")
        await crashed(world, fault)
        assert len(shop.asked) <= 1, fault
        detail = await world.system.directory.detail("buyer")
        if not detail["questions"]:
            assert detail["state"] == {"got": ["rent is done"]}
            continue
        asked += 1
        [question] = detail["questions"]
        assert question["code"] == "outcome_unknown"
        assert question["details"]["arguments"] == {"what": "rent"}
        truth = bool(shop.asked)
        if truth is not executed:
            continue
        answer = {"question": question["id"], "executed": truth, "result": "the bank says so", "by": "ada"}
        await world.system.directory.send("buyer", "tool.confirm", answer)
        await settled(world)
        assert len(shop.asked) == 1, fault
        assert await world.state("buyer") == {"got": ["the bank says so" if truth else "rent is done"]}
        assert (await world.system.directory.detail("buyer"))["questions"] == []
    assert asked > 0


async def settled(world: MemorySystem) -> None:
    """Deliver all but the first message, which has been delivered by hand."""
    world._delivered = max(world._delivered, 1)
    await world.settle()


async def test_a_question_is_published_and_journaled_with_how_to_answer_it() -> None:
    shop = Shop(errors=[ConnectionError("cut")])
    world = world_of(Buyer(shop, "pay"))
    await world.system.directory.send("buyer", "buy", "rent")
    await world.settle()
    [question] = (await world.system.directory.detail("buyer"))["questions"]
    assert f'aos agent send buyer tool.confirm \'{{"question": "{question["id"]}"' in question["message"]
    [event] = world.sent_to(world.config.messaging.events)
    assert (event["type"], event["data"]["agent"]) == ("aos.question.asked", "buyer")
    [entry] = await world.system.directory.journal("buyer")
    assert [received["outcome"] for received in entry.received] == ["parked"]
    assert await dead(world) == []


async def test_only_people_answer_and_only_with_what_was_asked() -> None:
    shop = Shop(errors=[ConnectionError("cut")])
    world = world_of(Buyer(shop, "pay"))
    send = world.system.directory.send
    await send("buyer", "buy", "rent")
    await world.settle()
    [question] = (await world.system.directory.detail("buyer"))["questions"]
    good = {"question": question["id"], "executed": True}
    await send("buyer", "tool.confirm", good, source="other-agent")
    await send("buyer", "tool.confirm", good, labels=frozenset({"untrusted:web"}))
    await send("buyer", "tool.confirm", {"question": question["id"], "approved": True})
    await send("buyer", "tool.confirm", {"question": "nonsense", "executed": True})
    await send("buyer", "tool.confirm", "yes")
    await send("buyer", "tool.compensate", {"calls": []})
    await world.settle()
    assert sorted(await dead(world)) == ["not_found", *["permission_denied"] * 3, *["validation_error"] * 2]
    await send("buyer", "tool.confirm", good)
    await send("buyer", "tool.confirm", good)
    await world.settle()
    assert await world.state("buyer") == {"got": [None]}
    assert len(shop.asked) == 1


async def test_a_failed_turn_has_its_reversible_calls_taken_back_latest_first() -> None:
    shop = Shop()
    world = world_of(Buyer(shop, "book", "look", "book", then=TerminalError("sold out")))
    await world.system.directory.send("buyer", "buy", "trip")
    await world.settle()
    keys = [key for what, key in shop.asked]
    assert await dead(world) == ["terminal_error"]
    assert shop.cancelled == [keys[2], keys[0]]
    assert list(shop.sold) == [keys[1]]


async def test_attempts_exhausted_take_back_what_the_first_attempt_booked() -> None:
    shop = Shop()
    world = world_of(Buyer(shop, "book", then=RetryableError("not today")))
    await world.system.directory.send("buyer", "buy", "trip")
    await world.settle()
    assert await dead(world) == ["attempts_exhausted"]
    assert len(shop.asked) == 1, "retries find the booking in the steps"
    assert shop.cancelled == [shop.asked[0][1]]


async def test_a_dead_letter_sent_again_books_anew_but_never_pays_anew() -> None:
    shop = Shop()
    agent = Buyer(shop, "pay", "book", then=TerminalError("sold out"))
    world = world_of(agent)
    await world.system.directory.send("buyer", "buy", "trip")
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    agent.then = None
    await world.system.kernel.resubmit(letter.id)
    await world.settle()
    assert await world.state("buyer") == {"got": ["trip is done", "trip is done"]}
    assert len(shop.asked) == 3
    assert shop.asked[0][1] != shop.asked[1][1] != shop.asked[2][1]
    assert len(shop.sold) == 2


async def test_what_is_compensated_in_the_turn_is_not_taken_back_again() -> None:
    shop = Shop()

    class Careful(Buyer):
        @on("try")
        async def attempt(self, turn: Turn, state: Shopper, what: str) -> None:
            box = self.toolbox(turn)
            await box.call("book", what=what)
            await box.call("book", what=what)
            assert await box.compensate() == 2
            raise TerminalError("and that is that")

    world = world_of(Careful(shop))
    await world.system.directory.send("buyer", "try", "trip")
    await world.settle()
    assert [key for _, key in reversed(shop.asked)] == shop.cancelled


async def test_transient_failures_are_tried_again_within_the_turn_and_permanent_ones_are_not() -> None:
    shop = Shop(errors=[ConnectionError("cut"), Throttled("slow down", retry_after=4.0)])
    world = world_of(Buyer(shop, "look"))
    start = world.clock.monotonic()
    await world.system.directory.send("buyer", "buy", "milk")
    await world.settle()
    assert len(shop.asked) == 3
    assert world.clock.monotonic() - start >= 4.0
    [row] = [each for each in _rows(world) if each["calls"]]
    assert (row["calls"], row["successes"], row["failures"]) == (3, 1, 2)

    shop = Shop(errors=[TerminalError("closed for good")])
    world = world_of(Buyer(shop, "look"))
    await world.system.directory.send("buyer", "buy", "milk")
    await world.settle()
    assert len(shop.asked) == 1
    assert await dead(world) == ["terminal_error"]


def _rows(world: MemorySystem) -> list[dict[str, Any]]:
    registry = world.registry.surroundings.tools
    return [registry.statistics(name).to_json() for name in ("look", "set_price", "book", "pay")]


@pytest.mark.parametrize("error", [NotDone("closed"), Throttled("slow down")])
async def test_an_irreversible_call_that_certainly_did_not_happen_is_tried_again(error: Exception) -> None:
    shop = Shop(errors=[error, error])
    world = world_of(Buyer(shop, "pay", retry=RetryConfig(max_attempts=1)))
    await world.system.directory.send("buyer", "buy", "rent")
    await world.settle()
    assert len(shop.asked) == 3
    assert len({key for _, key in shop.asked}) == 1
    assert await world.state("buyer") == {"got": ["rent is done"]}


async def test_an_irreversible_call_that_was_refused_is_not_asked_about() -> None:
    shop = Shop(errors=[TerminalError("no funds", code="no_funds")])
    world = world_of(Buyer(shop, "pay"))
    await world.system.directory.send("buyer", "buy", "rent")
    await world.settle()
    assert await dead(world) == ["no_funds"]


async def test_a_call_that_hangs_is_cut_off_and_counted_as_a_timeout() -> None:
    @tool(effect="read", timeout=0.01, retry=RetryConfig(max_attempts=2))
    async def hang() -> None:
        await asyncio.Event().wait()

    class Waiter(Agent[Shopper]):
        type = "waiter"
        tools = (hang,)
        policy = AgentPolicy(retry=RetryPolicy(max_attempts=1))

        @on("wait")
        async def wait(self, turn: Turn, state: Shopper, data: None) -> None:
            await self.toolbox(turn).call("hang")

    world = world_of(Waiter())
    await world.system.directory.send("waiter", "wait", None)
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["details"]["last_error"]["code"] == "tool_timeout"
    statistics = world.registry.surroundings.tools.statistics("hang").to_json()
    assert (statistics["calls"], statistics["failures"], statistics["timeouts"]) == (2, 2, 2)


async def test_a_message_that_comes_back_must_make_the_same_irreversible_calls() -> None:
    shop = Shop()

    class Fickle(Buyer):
        @on("pay")
        async def pay(self, turn: Turn, state: Shopper, what: str) -> None:
            await self.toolbox(turn).call("pay", what=f"{what} on try {turn.attempt}")
            raise RetryableError("again")

    world = world_of(Fickle(shop))
    await world.system.directory.send("buyer", "pay", "rent")
    await world.settle()
    assert [what for what, _ in shop.asked] == ["rent on try 1"]
    assert await dead(world) == ["tool_call_diverged"]


async def test_an_agent_has_only_the_tools_it_was_granted() -> None:
    seen: list[Exception] = []

    class Curious(Buyer):
        @on("pry")
        async def pry(self, turn: Turn, state: Shopper, what: str) -> None:
            box = self.toolbox(turn)
            for name, arguments in (("rob", {}), ("look", {"where": 3})):
                try:
                    await box.call(name, **arguments)
                except (ToolNotGranted, InvalidInput) as error:
                    seen.append(error)

    world = world_of(Curious(Shop()))
    await world.system.directory.send("buyer", "pry", "x")
    await world.settle()
    assert [type(error) for error in seen] == [ToolNotGranted, InvalidInput]
    assert "It has: book, look, pay, set_price." in str(seen[0])


async def test_the_journal_tells_which_tools_a_turn_used_and_what_they_took() -> None:
    world = world_of(Buyer(Shop(), "look", "pay"))
    await world.system.directory.send("buyer", "buy", "milk")
    await world.settle()
    [entry] = await world.system.directory.journal("buyer")
    facts = [(fact["tool"], fact["effect"], fact["outcome"]) for fact in entry.facts if fact["kind"] == "tool"]
    assert facts == [("look", "read", "done"), ("pay", "irreversible", "done")]
    assert entry.usage["tool_calls"] == 2


async def test_a_refusal_is_raised_again_whenever_the_message_comes_back() -> None:
    shop = Shop(errors=[TerminalError("no", code="no_stock", details={"left": 0})])
    seen: list[ToolRefused] = []

    class Stubborn(Buyer):
        @on("insist")
        async def insist(self, turn: Turn, state: Shopper, what: str) -> None:
            try:
                await self.toolbox(turn).call("look", what=what)
            except ToolRefused as error:
                seen.append(error)
            if turn.attempt < 2:
                raise RetryableError("again")

    world = world_of(Stubborn(shop))
    await world.system.directory.send("buyer", "insist", "milk")
    await world.settle()
    assert len(shop.asked) == 1
    assert [(error.code, error.details) for error in seen] == [("no_stock", {"left": 0})] * 2


class Post:
    """Delivers what is sent, in order, until one process dies; what it had is delivered again to another."""

    def __init__(self, world: MemorySystem, fault: Fault | None) -> None:
        self.world = world
        self.plan = FaultPlan(*([fault] if fault else []))
        self.delivered = 0

    async def settle(self) -> None:
        kernel = Kernel(
            self.world.registry,
            tables=FaultyTables(self.world.tables, self.plan),
            blobs=self.world.blobs,
            bus=FaultyBus(self.world.outbox, self.plan),
            clock=self.world.clock,
            ids=SeededIds(9),
            settings=self.world.system.kernel.settings,
        )
        sent, inbox = self.world.outbox.sent, self.world.config.messaging.inbox
        while self.delivered < len(sent):
            message = sent[self.delivered]
            if message.entity == inbox:
                try:
                    await (self.world.system.kernel if self.plan.crashed else kernel).deliver([Delivery(message.body)])
                except SimulatedCrash:
                    await self.world.system.kernel.deliver([Delivery(message.body, delivery_count=2)])
            self.delivered += 1


async def test_wherever_the_process_dies_nothing_of_a_failed_turn_stays_booked() -> None:
    async def run(fault: Fault | None) -> tuple[Shop, MemorySystem, FaultPlan]:
        shop = Shop()
        world = world_of(Buyer(shop, "book", "book", then=TerminalError("sold out")))
        await world.system.directory.send("buyer", "buy", "trip")
        post = Post(world, fault)
        await post.settle()
        return shop, world, post.plan

    for fault in crashes((await run(None))[2].log):
        shop, world, _ = await run(fault)
        assert shop.sold == {}, fault
        assert {key for _, key in shop.asked} <= set(shop.cancelled), fault
        assert await dead(world) == ["terminal_error"], fault


async def test_wherever_the_process_dies_while_a_person_is_asked_the_call_is_made_once() -> None:
    async def run(fault: Fault | None) -> tuple[Shop, MemorySystem, FaultPlan]:
        shop = Shop(errors=[ConnectionError("cut")])
        world = world_of(Buyer(shop, "pay", "look"))
        await world.system.directory.send("buyer", "buy", "rent")
        post = Post(world, fault)
        await post.settle()
        [question] = (await world.system.directory.detail("buyer"))["questions"]
        answer = {"question": question["id"], "executed": False}
        await world.system.directory.send("buyer", "tool.confirm", answer)
        await post.settle()
        return shop, world, post.plan

    log = (await run(None))[2].log
    assert len(log) > 10
    for fault in crashes(log):
        shop, world, _ = await run(fault)
        state = await world.state("buyer")
        questions = (await world.system.directory.detail("buyer"))["questions"]
        if questions:
            # It died again in between reserving and settling, and asks once more.
            assert state == {"got": []}, fault
        else:
            assert state == {"got": ["rent is done", "rent is done"]}, fault
        assert shop.done.count(shop.asked[0][1]) <= 1, fault


async def test_of_two_processes_with_the_same_message_only_one_makes_an_irreversible_call() -> None:
    calls: list[str] = []
    entered, go_on = asyncio.Event(), asyncio.Event()

    @tool(effect="irreversible")
    async def pay(what: str) -> str:
        calls.append(what)
        entered.set()
        await go_on.wait()
        return "paid"

    class Payer(Agent[Shopper]):
        type = "payer"
        tools = (pay,)

        @on("pay")
        async def handle_pay(self, turn: Turn, state: Shopper, what: str) -> None:
            state.got.append(await self.toolbox(turn).call("pay", what=what))

    world = world_of(Payer())
    await world.system.directory.send("payer", "pay", "rent")
    [message] = world.outbox.sent
    zombie = Kernel(
        world.registry,
        tables=world.tables,
        blobs=world.blobs,
        bus=world.outbox,
        clock=world.clock,
        ids=SeededIds(9),
        settings=world.system.kernel.settings,
    )
    first = asyncio.create_task(zombie.deliver([Delivery(message.body)]))
    await entered.wait()
    await world.system.kernel.deliver([Delivery(message.body, delivery_count=2)])
    go_on.set()
    # The zombie finds that another went on, takes the turn anew, and sees that the message is dealt with.
    await asyncio.gather(first, return_exceptions=True)
    assert calls == ["rent"]
    [question] = (await world.system.directory.detail("payer"))["questions"]
    await world.system.directory.send("payer", "tool.confirm", {"question": question["id"], "executed": True})
    await settled(world)
    # The zombie had settled the call before it noticed, so its result is the one that counts.
    assert await world.state("payer") == {"got": ["paid"]}
    assert calls == ["rent"]


async def test_a_turn_that_runs_out_of_time_in_an_irreversible_call_asks() -> None:
    @tool(effect="irreversible")
    async def pay() -> None:
        await asyncio.Event().wait()

    class Slow(Agent[Shopper]):
        type = "slow"
        tools = (pay,)
        policy = AgentPolicy(message_timeout=0.02)

        @on("pay")
        async def handle_pay(self, turn: Turn, state: Shopper, what: None) -> None:
            await self.toolbox(turn).call("pay")

    world = world_of(Slow())
    await world.system.directory.send("slow", "pay", None)
    await world.settle()
    [question] = (await world.system.directory.detail("slow"))["questions"]
    assert question["code"] == "outcome_unknown"
