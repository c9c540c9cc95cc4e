"""Requests to people: one answer each, with reminders, escalation and expiry, over weeks."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from aos.kernel.errors import AlreadyExists, NotFound, PermissionDenied
from aos.workflows.human.action import action_digest
from aos.workflows.human.errors import AnswerInvalid, RequestClosed
from aos.workflows.human.request import ANSWER, HumanRequest
from tests.harness import MemorySystem
from tests.workflows.human.asking import Office

DEPLOY = {"tool": "deploy", "arguments": {"site": "shop"}}


async def refusals(office: Office, request_id: str = "r1") -> list[str]:
    journal = await office.system.directory.journal(f"request:{request_id}")
    return [f["error"]["code"] for entry in journal for f in entry.facts if f["kind"] == "request.refused"]


async def test_an_approval_reaches_its_requester_and_is_on_record_as_a_decision() -> None:
    office = Office()
    await office.ask(prompt="Deploy the shop?", action={"what": DEPLOY}, audience=["anna", "ben"])
    shown = await office.people.show("r1")
    assert (shown["status"], shown["requester"], shown["digest"]) == ("open", "asker", action_digest(DEPLOY))
    await office.answer(approved=True, comment="All checks are green.", digest=action_digest(DEPLOY))
    [answer] = (await office.told())["replies"]
    assert (answer["approved"], answer["value"], answer["by"], answer["via"]) == (True, True, "anna", "api")
    assert (answer["request_id"], answer["comment"]) == ("r1", "All checks are green.")
    journal = await office.system.directory.journal("request:r1")
    [decision] = [decision for entry in journal for decision in entry.decisions]
    assert (decision["selected"], decision["rationale"]) == ("approved", "All checks are green.")
    assert decision["evidence"][0]["digest"] == action_digest(DEPLOY)
    assert (await office.people.show("r1"))["status"] == "answered"
    assert await office.events() == ["request.opened", "request.answered"]


async def test_a_rejection_is_an_error_for_the_requester_with_the_reason() -> None:
    office = Office()
    await office.ask(prompt="Deploy the shop?")
    await office.answer(approved=False, comment="Not on a Friday.")
    [error] = (await office.told())["errors"]
    assert error["code"] == "request_rejected"
    assert "Not on a Friday." in error["message"]
    assert error["details"]["answer"]["approved"] is False


async def test_an_answer_counts_once() -> None:
    office = Office()
    await office.ask(prompt="Deploy the shop?")
    for approved in (True, False):
        await office.system.directory.send(
            "request:r1", ANSWER, {"approved": approved, "by": "anna"}, source="/api/requests"
        )
    await office.settle(until=timedelta(seconds=1))
    told = await office.told()
    assert [answer["approved"] for answer in told["replies"]] == [True]
    assert told["errors"] == []
    assert await refusals(office) == ["request_closed"]
    with pytest.raises(RequestClosed):
        await office.answer(approved=False)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"approved": True, "by": "mallory"}, "permission_denied"),
        ({"approved": True, "digest": "0" * 64}, "action_changed"),
        ({"value": "perhaps"}, "invalid_answer"),
        ({}, "invalid_answer"),
    ],
)
async def test_what_does_not_count_is_refused_and_the_request_stays_open(answer: dict[str, Any], code: str) -> None:
    office = Office()
    await office.ask(prompt="Deploy the shop?", audience=["anna"])
    await office.answer(**answer)
    assert await refusals(office) == [code]
    assert (await office.people.show("r1"))["status"] == "open"
    await office.answer(value="yes")
    assert [answer["approved"] for answer in (await office.told())["replies"]] == [True]


async def test_an_agent_cannot_answer_nor_ring_the_clock_of_a_request() -> None:
    office = Office()
    await office.ask(prompt="Deploy the shop?", default=False, expires_in="1h")
    for message in ({"type": ANSWER, "approved": True, "by": "anna"}, {"type": "request.expire"}):
        await office.system.directory.send("asker", "forge", {"to": "r1", **message})
    await office.system.directory.send("request:r1", ANSWER, {"approved": True, "by": "anna"}, labels=["untrusted:web"])
    await office.settle(until=timedelta(seconds=1))
    assert await refusals(office) == ["permission_denied", "permission_denied"]
    assert (await office.people.show("r1"))["status"] == "open"


async def test_weeks_of_reminders_and_an_escalation_that_lets_somebody_else_answer() -> None:
    office = Office()
    await office.ask(
        prompt="Sign the contract?",
        audience=["anna"],
        remind_every="7d",
        escalate=[{"after": "10d", "to": "boss"}, {"after": "30d", "to": ["board", "boss"]}],
        expires_in="60d",
    )
    await office.answer(by="boss", approved=True)
    assert await refusals(office) == ["permission_denied"]
    await office.settle(until=timedelta(days=22))
    shown = await office.people.show("r1")
    assert (shown["reminders"], shown["escalated"], shown["audience"]) == (3, ["boss"], ["anna", "boss"])
    events = (await office.state("channel"))["events"]
    assert [event["type"].partition(".")[2] for event in events] == [
        "opened",
        "reminded",
        "escalated",
        "reminded",
        "reminded",
    ]
    assert events[2]["to"] == ["boss"]
    await office.answer(by="boss", approved=True)
    await office.settle()
    assert (await office.events())[-1] == "request.answered"
    assert [answer["by"] for answer in (await office.told())["replies"]] == ["boss"]


async def test_an_expired_request_is_an_error_and_takes_no_answer() -> None:
    office = Office()
    await office.ask(prompt="Lunch?", kind="question", expires_in="2h", remind_every="30m")
    await office.settle()
    [error] = (await office.told())["errors"]
    assert error["code"] == "request_expired"
    shown = await office.people.show("r1")
    assert (shown["status"], shown["reminders"]) == ("expired", 3)
    with pytest.raises(RequestClosed):
        await office.answer(value="Soup")
    assert (await office.events())[-1] == "request.expired"


async def test_the_default_counts_where_nobody_answers_and_is_marked() -> None:
    office = Office()
    await office.ask(prompt="Which?", kind="choice", choices=["a", "b"], default="b", expires_in=60)
    await office.settle()
    [answer] = (await office.told())["replies"]
    assert (answer["value"], answer["by"], answer["via"]) == ("b", "default", "default")
    assert (await office.people.show("r1"))["status"] == "answered"


async def test_only_the_requester_withdraws_and_its_wait_ends() -> None:
    office = Office()
    await office.ask(prompt="Deploy the shop?", remind_every="1d")
    with pytest.raises(PermissionDenied):
        await office.people.withdraw("r1", "not mine")
    await office.system.directory.send("asker", "withdraw", "r1")
    await office.settle()
    [error] = (await office.told())["errors"]
    assert (error["code"], (await office.people.show("r1"))["status"]) == ("request_withdrawn", "withdrawn")
    assert await office.events() == ["request.opened", "request.withdrawn"]
    assert (await office.system.directory.status("asker"))["pending_requests"] == 0


async def test_what_is_safe_is_approved_at_once_where_the_requester_lets_it() -> None:
    office = Office()
    await office.ask(prompt="Send the information?", auto_approve_safe=True)
    [answer] = (await office.told())["replies"]
    assert (answer["approved"], answer["by"], answer["via"]) == (True, "policy", "policy")
    assert await office.events() == ["request.answered"]


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt": "Deleting the old index is fine?"},
        {"prompt": "Go on?", "action": {"what": {"tool": "user_remove", "arguments": {}}}},
        {"prompt": "Go on?", "action": {"what": "resetPassword of anna"}},
        {"prompt": "Go on?", "details": ["over", "Formatting disk c"]},
    ],
)
async def test_an_unsafe_word_asks_a_person_whatever_the_requester_lets(asked: dict[str, Any]) -> None:
    office = Office()
    await office.ask(**asked, auto_approve_safe=True)
    assert (await office.people.show("r1"))["status"] == "open"


async def test_what_comes_from_outside_is_not_approved_by_itself() -> None:
    office = Office()
    data = {"to": "r1", "prompt": "Send it?", "auto_approve_safe": True}
    await office.system.directory.send("asker", "ask", data, labels=["untrusted:web"])
    await office.settle(until=timedelta(seconds=1))
    assert (await office.people.show("r1"))["status"] == "open"


async def test_a_correction_has_to_fit_its_schema() -> None:
    office = Office()
    schema = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}
    await office.ask(prompt="Correct it", kind="correction", schema=schema, details={"total": "12 o'clock"})
    await office.answer(value={"total": "13"})
    assert await refusals(office) == ["invalid_answer"]
    await office.answer(value={"total": 13})
    assert [answer["value"] for answer in (await office.told())["replies"]] == [{"total": 13}]


async def test_a_file_has_to_be_there_of_the_right_type_and_size() -> None:
    office = Office()
    await office.ask(prompt="The receipt?", kind="file", accept=["image/*", "application/pdf"], max_bytes=10)
    text = await office.system.artifacts.put("a.txt", b"x", "text/plain")
    large = await office.system.artifacts.put("b.png", b"x" * 11, "image/png")
    right = await office.system.artifacts.put("c.png", b"x", "image/png")
    for value in ("nothing", f"{'0' * 64}/x", text.id, large.id):
        await office.answer(value=value)
    assert len(await refusals(office)) == 4
    await office.answer(value=right.id)
    assert [answer["value"] for answer in (await office.told())["replies"]] == [right.id]


async def test_a_request_nobody_can_answer_is_an_error_for_its_requester() -> None:
    office = Office()
    await office.ask(raw=True, prompt="Which?", kind="choice")
    await office.ask("r2", raw=True, prompt="Go on?", id="r3")
    await office.ask("q-1", raw=True, prompt="Go on?")
    assert [error["code"] for error in (await office.told())["errors"]] == ["validation_error"] * 3


async def test_a_second_request_of_an_id_is_refused() -> None:
    office = Office()
    await office.ask(prompt="One?")
    await office.ask(prompt="Two?")
    assert [error["code"] for error in (await office.told())["errors"]] == ["already_exists"]
    assert (await office.people.show("r1"))["prompt"] == "One?"
    with pytest.raises(AlreadyExists):
        await office.people.ask(HumanRequest(id="r1", prompt="Three?"))
    with pytest.raises(NotFound):
        await office.people.show("nobody asked")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "choice"}, "`choices` go with"),
        ({"choices": ["a"]}, "`choices` go with"),
        ({"kind": "choice", "choices": ["a", "a"]}, "each once"),
        ({"kind": "correction"}, "needs one"),
        ({"kind": "correction", "schema": {"type": "nonsense"}}, "not a JSON Schema"),
        ({"default": True}, "give `expires_in`"),
        ({"kind": "choice", "choices": ["a"], "default": "b", "expires_in": 9}, "not among the choices"),
        ({"prompt": "Drop it?", "default": True, "expires_in": 9}, "only a person may approve"),
        ({"kind": "question", "auto_approve_safe": True}, "goes with the kind `approval`"),
        ({"expires_in": "1h", "escalate": [{"after": "2h", "to": "b"}]}, "after the end"),
        ({"action": {"what": {"a": 1}, "digest": "0" * 64}}, "not the SHA-256"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"remind_every": "1s"}, "remind_every"),
        ({"details": "x" * 70_000}, "name an artifact"),
        (
            {
                "audience": [f"p{n}" for n in range(30)],
                "escalate": [{"after": f"{m + 1}m", "to": [f"q{m}.{n}" for n in range(20)]} for m in range(4)],
            },
            "more than 90 people",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_words(fields: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, AnswerInvalid), match=re.escape(words)):
        HumanRequest.model_validate({"prompt": "Go on?", **fields})


def test_the_names_of_the_user_input_contract_are_taken_too() -> None:
    request = HumanRequest.model_validate(
        {
            "request_id": "r7",
            "input_type": "text",
            "prompt": "Name?",
            "choices": None,
            "timeout": None,
            "default_value": "x",
            "metadata": {"form": 1},
        }
    )
    assert (request.id, request.kind, request.default, request.details) == ("r7", "question", "x", {"form": 1})
    assert request.expires_in == timedelta(seconds=300)
    assert HumanRequest(prompt="Name?").expires_in is None


def test_durations_are_read_in_all_their_forms() -> None:
    for text in ("1h30m", "PT90M", 5_400, "5400"):
        assert HumanRequest.model_validate({"prompt": "?", "expires_in": text}).expires_in == timedelta(minutes=90)


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert action_digest({"a": 1, "b": [2]}) == action_digest({"b": [2], "a": 1})
    assert action_digest({"a": 1}) != action_digest({"a": "1"})


async def test_a_reminder_that_comes_when_the_time_is_up_ends_the_request() -> None:
    world = MemorySystem()
    data = {"kind": "question", "prompt": "Why?", "default": "none", "expires_in": 90, "remind_every": 60}
    await world.system.directory.send("request:late", "human.ask", data, reply_to="queue:app")
    await world.settle(until=timedelta(seconds=50))
    await world.system.lifecycle.order("request:late", "pause", reason="Audit")
    await world.settle(until=timedelta(seconds=100))
    await world.system.lifecycle.order("request:late", "resume")
    await world.settle()
    state = await world.state("request:late")
    assert (state["status"], state["reminders"]) == ("answered", 0)
    assert [message["data"]["by"] for message in world.sent_to("app")] == ["default"]
