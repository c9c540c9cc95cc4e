"""One inbox for what agents ask people and what their messages wait for, over the API and the command line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from aos.agents import Agent, Turn, on
from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.commands import app
from aos.tools.errors import OutcomeUnknown
from aos.workflows.human.errors import ActionChanged, AnswerInvalid
from aos.workflows.human.request import GivenAnswer, HumanRequest
from aos.workflows.human.request_index import RequestIndex
from tests.tools.test_guardrail import FETCH, WIRE, Clerk, done
from tests.workflows.human.asking import Office, Told


@pytest.fixture
def office() -> Office:
    done.clear()
    return Office(Clerk())


@pytest.fixture
async def api(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(office.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as client:
        yield client


async def park(office: Office) -> None:
    """Have the clerk's message wait for a person, since it read something from outside."""
    await office.system.directory.send("clerk", "work", [FETCH, WIRE])
    await office.settle(until=timedelta(seconds=1))


async def ids(office: Office, **query: Any) -> list[str]:
    return [shown["id"] for shown in (await office.people.open(**query))[0]]


async def test_open_requests_are_listed_newest_first_for_those_who_may_answer(office: Office) -> None:
    await office.ask("for-anna", prompt="A?", audience=["anna"], escalate=[{"after": "1h", "to": "boss"}])
    await office.ask("for-anybody", prompt="B?")
    await office.ask("for-ben", prompt="C?", kind="question", audience=["ben", "cleo"])
    assert await ids(office) == ["for-ben", "for-anybody", "for-anna"]
    assert await ids(office, person="anna") == ["for-anybody", "for-anna"]
    assert await ids(office, person="ben") == ["for-ben", "for-anybody"]
    assert await ids(office, person="boss") == ["for-anybody"]
    assert await ids(office, kind="question") == ["for-ben"]
    await office.settle(until=timedelta(hours=2))
    assert await ids(office, person="boss") == ["for-anybody", "for-anna"]
    await office.answer("for-anna", approved=True)
    await office.answer("for-ben", by="cleo", value="Yes")
    assert await ids(office) == ["for-anybody"]
    assert await ids(office, person="boss") == ["for-anybody"]
    answered, _ = await office.people.all(status="answered")
    assert [shown["id"] for shown in answered] == ["for-ben", "for-anna"]


async def test_the_inbox_is_read_page_by_page(office: Office) -> None:
    for number in range(5):
        await office.ask(f"r{number}", prompt="?", audience=["anna"] if number % 2 else [])
    await park(office)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        found, cursor = await office.people.open(person="anna", limit=2, cursor=cursor)
        assert len(found) <= 2
        seen += [shown["id"] for shown in found]
        if cursor is None:
            break
    assert seen[:5] == ["r4", "r3", "r2", "r1", "r0"]
    assert (len(seen), seen[5].startswith("q-")) == (6, True)


async def test_the_lists_of_an_entry_that_comes_again_late_stay_as_they_are(office: Office) -> None:
    await office.ask(prompt="Go on?", audience=["anna"])
    opened = (await office.system.directory.journal("request:r1"))[0]
    before = (await office.system.kernel.heads.read("request:r1")) or pytest.fail("no head")
    await office.answer(approved=True)
    await RequestIndex(office.tables).apply(opened, json.loads(before.state))
    assert await ids(office) == []


async def test_a_question_of_a_message_is_in_the_inbox_and_answered_there(office: Office) -> None:
    await park(office)
    [shown] = (await office.people.open())[0]
    assert (shown["kind"], shown["requester"]) == ("approval", "clerk")
    assert shown["action"]["what"] == {"tool": "wire", "arguments": {"to": "ada"}}
    with pytest.raises(AnswerInvalid):
        await office.people.answer(shown["id"], GivenAnswer(by="anna", value="perhaps"))
    with pytest.raises(ActionChanged):
        await office.people.answer(shown["id"], GivenAnswer(by="anna", approved=True, digest="0" * 64))
    assert done == []
    await office.answer(shown["id"], approved=True, comment="Ada is fine", digest=shown["digest"])
    assert done == ["wire ada"]
    assert await ids(office) == []
    facts = [f for entry in await office.system.directory.journal("clerk") for f in entry.facts]
    assert [(f["by"], f["comment"]) for f in facts if f["kind"] == "tool.answer"] == [("anna", "Ada is fine")]


class Sender(Agent[Told]):
    """Does not know whether it has sent."""

    type = "sender"
    tools = ("calculator",)

    @on("send")
    async def send(self, turn: Turn, state: Told, what: str) -> None:
        answered, answer = await turn.answer_to("q")
        if not answered:
            raise OutcomeUnknown("Was it sent?", question="q", details={"asks": "executed", "tool": "mail"})
        state.replies.append([what, answer["executed"], answer["result"]])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("executed", [True, None]),
        ("not executed", [False, None]),
        ({"executed": True, "result": "id 7"}, [True, "id 7"]),
    ],
)
async def test_whether_a_call_was_executed_is_found_out_and_not_approved(value: Any, told: list[Any]) -> None:
    office = Office(Sender())
    await office.system.directory.send("sender", "send", "mail")
    await office.settle(until=timedelta(seconds=1))
    [shown] = (await office.people.open())[0]
    assert (shown["kind"], shown["choices"]) == ("choice", ["executed", "not executed"])
    for wrong in ({"approved": True}, {"value": True}, {"value": {"executed": "yes"}}, {"value": {"result": 1}}):
        with pytest.raises(AnswerInvalid):
            await office.people.answer(shown["id"], GivenAnswer(by="anna", **wrong))
    await office.answer(shown["id"], value=value)
    assert (await office.state("sender"))["replies"] == [["mail", *told]]


async def test_the_agents_of_the_docs_ask_and_tell() -> None:
    page = Path(__file__).parents[3] / "docs" / "approvals.md"
    names: dict[str, Any] = {"__name__": "approvals"}
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(page), "exec", dont_inherit=True), names)
    office = Office(names["Deployer"](), names["Postman"]())
    for site in ("shop", "blog"):
        await office.system.directory.send("deployer", "deploy.wanted", site)
    await office.settle(until=timedelta(days=2))
    await office.answer("deploy-shop", approved=True)
    await office.answer("deploy-blog", by="ben", approved=False)
    await office.settle()
    facts = [f for entry in await office.system.directory.journal("deployer") for f in entry.facts]
    assert [{**fact} for fact in facts] == [
        {"kind": "deploy", "site": "shop", "approved_by": "anna"},
        {"kind": "not_deployed", "code": "request_rejected"},
    ]
    told = [f for entry in await office.system.directory.journal("postman") for f in entry.facts]
    assert [fact["people"] for fact in told] == [["anna", "ben"]] * len(told)
    assert len(told) >= 4


async def test_an_app_asks_and_a_person_answers_over_the_api(office: Office, api: httpx.AsyncClient) -> None:
    asked = await api.post("/requests", json={"prompt": "Go on?", "audience": ["anna"], "schema": None})
    assert asked.status_code == 202
    place = asked.headers["Location"].removeprefix("/api/v1")
    await office.settle(until=timedelta(seconds=1))
    shown = (await api.get(place)).json()
    assert (shown["status"], shown["links"]) == ("open", {"available": True})
    assert [row["id"] for row in (await api.get("/requests?audience=anna")).json()["requests"]] == [shown["id"]]

    async def answered(**body: Any) -> httpx.Response:
        sending = asyncio.create_task(api.post(f"{place}/answer", json={"by": "anna", **body}))
        while not sending.done():
            await office.settle(until=timedelta())
            await asyncio.sleep(0)
        return sending.result()

    for body, status, code in (
        ({"value": "perhaps"}, 422, "invalid_answer"),
        ({"approved": True, "by": "mallory"}, 403, "permission_denied"),
        ({"approved": True, "digest": "0" * 64}, 409, "action_changed"),
        ({"approved": True, "surprise": 1}, 422, "validation_error"),
    ):
        refused = await answered(**body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    right = await answered(approved=True, via="link")
    assert (right.status_code, right.json()["accepted"], right.json()["answer"]["via"]) == (200, True, "api")
    late = await answered(approved=False)
    assert (late.status_code, late.json()["code"]) == (409, "request_closed")
    listed = (await api.get("/requests?status=answered")).json()["requests"]
    assert [row["answered_by"] for row in listed] == ["anna"]
    assert (await api.get("/requests/r9")).json()["code"] == "not_found"


async def test_an_answer_nobody_has_looked_at_is_202_and_a_request_is_withdrawn(
    office: Office, api: httpx.AsyncClient
) -> None:
    request_id = await office.people.ask(HumanRequest(prompt="Go on?"))
    await office.settle(until=timedelta(seconds=1))
    pending = await api.post(f"/requests/{request_id}/answer?wait=0", json={"by": "anna", "value": "perhaps"})
    assert (pending.status_code, pending.json()["accepted"], pending.json()["status"]) == (202, False, "open")
    assert (await api.post(f"/requests/{request_id}/withdraw", json={"reason": "done"})).status_code == 202
    await office.settle()
    assert (await api.get(f"/requests/{request_id}")).json()["status"] == "withdrawn"


async def test_the_answer_goes_to_the_queue_that_the_asker_names(office: Office, api: httpx.AsyncClient) -> None:
    asked = await api.post("/requests?reply_to=queue:shop-responses", json={"id": "r1", "prompt": "Go on?"})
    assert asked.status_code == 202
    await office.settle(until=timedelta(seconds=1))
    await office.answer(approved=True)
    [sent] = office.sent_to("shop-responses")
    assert (sent["type"], sent["data"]["by"]) == ("human.ask.reply", "anna")
    nowhere = await api.post("/requests?reply_to=No%20Address", json={"prompt": "Go on?"})
    assert nowhere.status_code == 422


async def test_links_begin_with_the_configured_address_and_their_absence_is_explained(api: httpx.AsyncClient) -> None:
    public = Office(api={"public_url": "https://aos.example.com/"})
    await public.ask(prompt="Go on?")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(public.system)), base_url="http://a"
    ) as client:
        made = await client.post("/api/v1/requests/r1/links", json={"who": "anna", "good_for": "2h"})
        places = made.json()["links"]
        assert all(place.startswith("https://aos.example.com/api/r/") for place in places.values())
        public.secrets.clear()
        refused = await client.post("/api/v1/requests/r1/links", json={"who": "anna"})
        assert (refused.status_code, refused.json()["code"]) == (409, "links_not_configured")
        shown = (await client.get("/api/v1/requests/r1")).json()["links"]
        assert (shown["available"], "AOS_LINK_KEY" in shown["reason"]) == (False, True)


def test_people_work_from_the_command_line(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(office.system))) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)

    def aos(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["request", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert result.exit_code == code, result.output
        asyncio.run(office.settle(until=timedelta(seconds=1)))
        return result.output

    assert "Nothing waits" in aos("list")
    asyncio.run(office.ask("r1", prompt="Go on?", action={"what": {"tool": "deploy"}}, audience=["anna"]))
    asyncio.run(office.ask("r2", prompt="Correct it", kind="correction", schema={"type": "array"}))
    asyncio.run(office.ask("r3", prompt="Really?"))
    assert "anna" in aos("list", "--for", "anna")
    assert '"tool": "deploy"' in aos("show", "r1")
    assert "was sent" in aos("approve", "r1", "--by", "anna", "--comment", "fine", "--wait", "0")
    assert json.loads(aos("show", "r1", "--json"))["answer"]["via"] == "cli"
    assert "The answer is not JSON" in aos("answer", "r2", "[", code=1)
    aos("answer", "r2", "[1]", "--by", "ben", "--wait", "0")
    assert json.loads(aos("show", "r2", "--json"))["answer"]["value"] == [1]
    assert "approve: http://127.0.0.1:7071/api/r/" in aos("link", "r3", "--for", "cleo", "--good-for", "2h")
    aos("reject", "r3", "--by", "cleo", "--wait", "0")
    assert "request_closed" in aos("reject", "r3", "--by", "cleo", code=1)
    assert json.loads(aos("list", "--status", "answered", "--json"))["total"] == 3
