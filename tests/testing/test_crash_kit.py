from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, AgentPolicy, Turn, on, on_event, on_reply
from aos.kernel.errors import RetryableError
from aos.testing import CrashReport, ExternalCalls, Finished, Scenario, crash_test


class Notes(BaseModel):
    seen: list[Any] = []


async def pay_in_a_step(turn: Turn, outside: ExternalCalls, key: str | None) -> None:
    async def pay() -> Any:
        return await outside.call("pay", key=key)

    await turn.step("payment", pay)


class Shop(Agent[Notes]):
    type = "shop"

    def __init__(self, outside: ExternalCalls) -> None:
        super().__init__()
        self.outside = outside
        self.remembered: list[Any] = []

    @on("careless")
    async def careless(self, turn: Turn, state: Notes, data: Any) -> None:
        await self.outside.call("pay")
        state.seen.append("paid")

    @on("half")
    async def half(self, turn: Turn, state: Notes, data: Any) -> None:
        await pay_in_a_step(turn, self.outside, None)

    @on("careful")
    async def careful(self, turn: Turn, state: Notes, data: Any) -> None:
        await self.outside.look("price")
        await pay_in_a_step(turn, self.outside, turn.idempotency_key("payment"))
        state.seen.append("paid")
        turn.publish("sales", "sold", 1)

    @on("keyed")
    async def keyed(self, turn: Turn, state: Notes, data: Any) -> None:
        state.seen.append(await self.outside.call("pay", key=turn.idempotency_key("payment"), amount=3))

    @on("retrying")
    async def retrying(self, turn: Turn, state: Notes, data: Any) -> None:
        await pay_in_a_step(turn, self.outside, turn.idempotency_key("payment"))
        if turn.attempt == 1:
            raise RetryableError("Not yet.")
        turn.send("listener", "told")

    @on("collect")
    async def collect(self, turn: Turn, state: Notes, data: Any) -> None:
        self.remembered.append(data)
        turn.send("shop", "flush")

    @on("flush")
    async def flush(self, turn: Turn, state: Notes, data: Any) -> None:
        for item in self.remembered:
            await self.outside.call("mail", key=f"{item}")
            turn.send("listener", "told", item)

    @on("ask")
    async def ask(self, turn: Turn, state: Notes, data: Any) -> None:
        turn.ask("listener", "question")

    @on_reply("question")
    async def answered(self, turn: Turn, state: Notes, data: Any) -> None:
        state.seen.append(data)


class Listener(Agent[Notes]):
    type = "listener"
    policy = AgentPolicy(strict_order=True)

    @on("told")
    async def told(self, turn: Turn, state: Notes, data: Any) -> None:
        state.seen.append(data)

    @on("question")
    async def question(self, turn: Turn, state: Notes, data: Any) -> int:
        return 42

    @on_event("sales")
    async def sold(self, turn: Turn, state: Notes, data: Any) -> None:
        state.seen.append(data)


def market(outside: ExternalCalls) -> list[Agent[Any]]:
    return [Shop(outside), Listener()]


async def put(*types: str) -> CrashReport:
    scenario = Scenario()
    for type_ in types:
        scenario.send("shop", type_, type_)
    return await crash_test(market, scenario)


async def test_a_call_outside_of_a_step_is_named_and_seen_to_happen_twice() -> None:
    report = await put("careless")
    assert report.doubled() == ["pay"]
    assert report.unprotected == ("pay",)
    assert not report.ok
    assert {finding.place.partition(",")[0] for finding in report.findings} == {
        "after call pay",
        "before tables.commit",
    }
    assert "turn.step" in str(report)


async def test_a_step_without_a_key_leaves_one_window_and_the_report_says_which() -> None:
    report = await put("half")
    assert report.unprotected == ()
    assert {(finding.effect, finding.step) for finding in report.findings} == {("pay", "payment")}
    assert {finding.place.partition(",")[0] for finding in report.findings} == {
        "after call pay",
        "before tables.commit",
    }
    assert "journaling of step 'payment'" in report.findings[0].advice


@pytest.mark.parametrize("type_", ["careful", "keyed", "retrying", "ask"])
async def test_what_is_provided_for_passes(type_: str) -> None:
    report = await put(type_)
    assert report.ok, report
    assert len(report.places) >= 8
    assert "nothing lost, nothing doubled" in str(report)


async def test_the_places_are_each_operation_before_and_after() -> None:
    report = await put("careful")
    assert [place.partition(",")[0] for place in report.places[:10]] == [
        "before tables.get",
        "after tables.get",
        "before tables.get",
        "after tables.get",
        "before call price",
        "after call price",
        "before call pay",
        "after call pay",
        "before tables.commit",
        "after tables.commit",
    ]


async def test_what_an_agent_keeps_to_itself_is_lost_with_its_process() -> None:
    report = await put("collect")
    assert report.lost() == ["mail", "told to listener"]
    assert "left outside of the state" in str(report)


async def test_checks_are_made_after_every_run() -> None:
    def paid_once(finished: Finished) -> None:
        assert finished.states["shop"]["seen"] == ["paid"], "not paid once"
        assert finished.dead_letters == ()

    scenario = Scenario().send("shop", "careful").check(paid_once)
    assert (await crash_test(market, scenario)).ok

    def never(finished: Finished) -> None:
        raise AssertionError("wrong from the start")

    with pytest.raises(AssertionError, match="wrong from the start"):
        await crash_test(market, Scenario().send("shop", "careful").check(never))


async def test_calls_answer_as_the_scenario_says_and_with_a_key_as_they_first_did() -> None:
    seen: list[Any] = []
    scenario = Scenario().send("shop", "keyed").answer("pay", lambda amount: {"receipt": amount + len(seen)})

    def receipt(finished: Finished) -> None:
        assert finished.states["shop"]["seen"] == [{"receipt": 3}]

    assert (await crash_test(market, scenario.check(receipt))).ok


async def test_an_agent_that_never_rests_is_found_out() -> None:
    class Restless(Agent[Notes]):
        type = "restless"

        @on("go")
        async def go(self, turn: Turn, state: Notes, data: Any) -> None:
            turn.send("restless", "go")

    with pytest.raises(AssertionError, match="1000 turns"):
        await crash_test(lambda _: Restless(), Scenario().send("restless", "go"))


async def test_an_agent_that_never_rests_after_a_crash_is_found_out() -> None:
    class Waiting(Agent[Notes]):
        type = "waiting"
        started = False

        @on("start")
        async def start(self, turn: Turn, state: Notes, data: Any) -> None:
            self.started = True
            turn.send("waiting", "wait")

        @on("wait")
        async def wait(self, turn: Turn, state: Notes, data: Any) -> None:
            if not self.started:
                turn.send("waiting", "wait")

    report = await crash_test(lambda _: Waiting(), Scenario().send("waiting", "start"))
    assert {finding.kind for finding in report.findings} == {"unfinished"}
    assert "1000 turns" in str(report)
