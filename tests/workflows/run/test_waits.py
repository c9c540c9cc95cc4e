"""Steps that wait: for time to pass, for events, for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.kernel.errors import NotAllowedNow, NotFound
from aos.workflows.human.request import GivenAnswer
from tests.workflows.run.office import Office, do

SECOND = timedelta(seconds=1)


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_step_waits_for_time_to_pass(office: Office) -> None:
    run_id = await office.begin([{"id": "rest", "wait": {"for": "2h"}}, do("after", "rest")])
    assert (await office.workflows.status(run_id))["status"] == "waiting"
    await office.settle(until=timedelta(minutes=119))
    assert (await office.steps(run_id))["rest"] == "waiting"
    await office.settle(until=timedelta(minutes=2))
    assert (await office.workflows.result(run_id))["status"] == "completed"


async def test_a_step_waits_for_a_moment(office: Office) -> None:
    moment = office.clock.now() + timedelta(days=3)
    await office.run(
        [{"id": "rest", "wait": {"until": "inputs.when"}}], {"when": moment.isoformat()}, inputs={"when": "string"}
    )
    assert office.clock.now() == moment


async def test_a_step_waits_for_an_event_that_fits(office: Office) -> None:
    wait = {"event": {"topic": "order.${{ inputs.order }}.*", "where": "event.amount > 10"}}
    run_id = await office.begin([{"id": "paid", "wait": wait}], {"order": "o1"}, inputs={"order": "string"})
    for topic, data in (("order.o2.paid", {"amount": 50}), ("order.o1.paid", {"amount": 5}), ("order.o1.paid", "odd")):
        await office.workflows.event(run_id, topic, data)
        await office.settle(until=SECOND)
        assert await office.steps(run_id) == {"paid": "waiting"}
    assert await office.workflows.publish("order.o1.paid", {"amount": 50}) == 1
    await office.settle(until=SECOND)
    assert (await office.workflows.result(run_id))["output"] == {"paid": {"amount": 50}}
    assert await office.workflows.publish("order.o1.paid", {"amount": 50}) == 0


async def test_an_event_that_does_not_come_in_time_fails_the_step(office: Office) -> None:
    result = await office.run([{"id": "paid", "wait": {"event": {"topic": "paid"}}, "timeout": "1h"}])
    assert (result["error"]["code"], result["duration_seconds"]) == ("step_timeout", 3600)


async def test_a_person_may_answer_in_place_of_an_event(office: Office) -> None:
    run_id = await office.begin([{"id": "paid", "wait": {"event": {"topic": "paid"}}}, do("b", silent=True)])
    await office.workflows.respond(run_id, "paid", {"by": "hand"}, by="anna")
    with pytest.raises(NotAllowedNow) as refused:
        await office.workflows.respond(run_id, "b", 1, by="anna")
    assert refused.value.code == "step_not_waiting"
    with pytest.raises(NotFound):
        await office.workflows.respond(run_id, "c", 1, by="anna")
    await office.settle(until=SECOND)
    steps, _ = await office.workflows.steps(run_id)
    assert steps[0]["output"] == {"by": "hand"}


async def test_a_run_goes_on_once_it_is_approved(office: Office) -> None:
    approval = {"prompt": "Pay ${{ inputs.amount }}?", "audience": ["anna"]}
    run_id = await office.begin(
        [{"id": "ok", "wait": {"approval": approval}}, do("pay", "ok")], {"amount": 7}, inputs={"amount": "integer"}
    )
    (asked,), _ = await office.system.people.open(person="anna")
    assert asked["prompt"] == "Pay 7?"
    status = await office.workflows.status(run_id)
    assert (status["status"], status["steps"]["ok"]["request_id"]) == ("waiting", asked["id"])
    await office.system.people.answer(asked["id"], GivenAnswer(by="anna", approved=True))
    await office.settle()
    assert (await office.workflows.result(run_id))["status"] == "completed"


async def test_a_refusal_fails_the_step(office: Office) -> None:
    run_id = await office.begin([{"id": "ok", "wait": {"approval": {"prompt": "Pay?"}}}, do("pay", "ok")])
    await office.workflows.respond(run_id, "ok", False, by="anna")
    await office.settle()
    assert (await office.workflows.result(run_id))["error"]["code"] == "request_rejected"
    assert await office.steps(run_id) == {"ok": "failed", "pay": "skipped"}


async def test_the_answer_to_a_question_is_the_output(office: Office) -> None:
    question = {"prompt": "Which?", "choices": ["a", "b"]}
    run_id = await office.begin(
        [{"id": "which", "wait": {"question": question}}, do("do", say="${{ steps.which.output.value }}")]
    )
    await office.workflows.respond(run_id, "which", "b", by="anna")
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"do": "b"}


async def test_nobody_answers_in_time(office: Office) -> None:
    result = await office.run([{"id": "ok", "wait": {"approval": {"prompt": "Pay?"}}, "timeout": "1d"}])
    assert result["error"]["code"] == "request_expired"


class Shop(Agent[NoState]):
    type = "shop"

    @on("sell")
    async def sell(self, turn: Turn, _: NoState, data: dict[str, Any]) -> None:
        turn.label("untrusted:shop")
        turn.publish("shop.sold", "sold", data)


async def test_what_agents_publish_reaches_the_runs_that_wait_for_it() -> None:
    office = Office(Shop())
    waits = [{"id": "sold", "wait": {"event": {"topic": "shop.*", "where": "event.n == 2"}}}]
    run_id = await office.begin(waits)
    for n in (1, 2, 3):
        await office.system.directory.send("shop", "sell", {"n": n})
        await office.settle(until=SECOND)
    assert (await office.workflows.result(run_id))["output"] == {"sold": {"n": 2}}
    assert (await office.state(f"workflow:{run_id}"))["labels"] == ["untrusted:shop"]
