"""Links: who holds one may answer one request once, and nobody can make or change one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx
import pytest

from aos.api.app import create_app
from aos.kernel.errors import NotFound, PermissionDenied, SettingInvalid
from aos.testing import VirtualClock
from aos.workflows.human.action import action_digest
from aos.workflows.human.errors import LinkExpired, LinkInvalid, LinksNotConfigured, RequestClosed
from aos.workflows.human.links import MOST_TOKEN, Link, LinkSigner
from tests.workflows.human.asking import KEY, Office

WIPE = {"tool": "wipe", "arguments": {"disk": "<c>"}}


class Keys(dict[str, str]):
    async def __call__(self, name: str) -> str | None:
        return self.get(name)


def signer(clock: VirtualClock | None = None, **keys: str) -> LinkSigner:
    return LinkSigner(Keys(keys), clock or VirtualClock())


def link(**fields: Any) -> Link:
    expires = VirtualClock().now() + timedelta(days=1)
    given = {"request_id": "r1", "digest": "d" * 64, "who": "änna", "purpose": "approve", "expires": expires, **fields}
    return Link(**given)


async def test_a_token_says_what_was_signed() -> None:
    made = await signer(AOS_LINK_KEY=KEY).sign(link())
    assert await signer(AOS_LINK_KEY=KEY).read(made) == link()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", made)
    assert KEY not in made
    assert len(made) < 300


async def test_no_changed_token_is_taken() -> None:
    ours = signer(AOS_LINK_KEY=KEY)
    made = await ours.sign(link())
    for place in range(len(made)):
        for other in "Aa.":
            changed = made[:place] + other + made[place + 1 :]
            if changed != made:
                with pytest.raises(LinkInvalid):
                    await ours.read(changed)
    body = [1, "r1", "d" * 64, "boss", "approve", 99_999_999_999]
    forged = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
    for token in ("", ".", "..", "a.b", forged, f"{forged}.{made.split('.')[1]}.{made.split('.')[2]}", "é" * 9):
        with pytest.raises(LinkInvalid):
            await ours.read(token)
    with pytest.raises(LinkInvalid):
        await ours.read("a" * (MOST_TOKEN + 1))


async def test_a_key_can_be_changed_while_its_links_go_on() -> None:
    new = "n" * 40
    made = await signer(AOS_LINK_KEY=KEY).sign(link())
    rotated = signer(AOS_LINK_KEY=new, AOS_LINK_KEY_PREVIOUS=KEY)
    assert await rotated.read(made) == link()
    fresh = await rotated.sign(link())
    assert await signer(AOS_LINK_KEY=new).read(fresh) == link()
    for other in (signer(AOS_LINK_KEY=new), signer()):
        with pytest.raises(LinkInvalid):
            await other.read(made)


async def test_a_link_ends() -> None:
    clock = VirtualClock()
    ours = signer(clock, AOS_LINK_KEY=KEY)
    made = await ours.sign(link())
    clock.advance(timedelta(days=1).total_seconds())
    with pytest.raises(LinkExpired):
        await ours.read(made)


async def test_without_a_key_there_are_no_links_and_a_short_one_is_refused_without_showing_it() -> None:
    assert await signer(AOS_LINK_KEY=KEY).absent() is None
    assert "AOS_LINK_KEY" in str(await signer().absent())
    with pytest.raises(LinksNotConfigured):
        await signer().sign(link())
    with pytest.raises(SettingInvalid) as refused:
        await signer(AOS_LINK_KEY="hunter2").sign(link())
    assert "hunter2" not in str(refused.value)


@pytest.fixture
def office() -> Office:
    return Office(api={"max_wait_seconds": 0})


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(office.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as client:
        yield client


async def links(office: Office, who: str = "anna", **options: Any) -> dict[str, str]:
    tokens, _ = await office.people.links("r1", who, **options)
    return {purpose: f"/api/r/{token}" for purpose, token in tokens.items()}


async def test_a_person_approves_by_a_link_and_the_link_is_used_up(office: Office, browser: httpx.AsyncClient) -> None:
    await office.ask(prompt="Wipe <b>the</b> disk?", action={"what": WIPE}, audience=["anna"], details="</pre><script>")
    places = await links(office)
    assert set(places) == {"approve", "reject"}
    page = await browser.get(places["approve"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for shown in ("Wipe <b>the</b> disk?", action_digest(WIPE), '"disk": "<c>"', "asker", "anna", "</pre><script>"):
        assert shown in unescape(page.text)
    for raw in ("<b>", "<script", "<c>"):
        assert raw not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert (page.headers["Referrer-Policy"], page.headers["Cache-Control"]) == ("no-referrer", "no-store")
    for _ in range(3):
        await browser.get(places["reject"])
    await office.settle(until=timedelta(seconds=1))
    assert (await office.people.show("r1"))["status"] == "open"

    sent = await browser.post(places["approve"], data={"comment": "I know"})
    assert sent.status_code == 202
    await office.settle(until=timedelta(seconds=1))
    [answer] = (await office.told())["replies"]
    assert (answer["approved"], answer["by"], answer["via"], answer["comment"]) == (True, "anna", "link", "I know")
    for place in places.values():
        for used in (await browser.get(place), await browser.post(place, data={})):
            assert (used.status_code, "request_closed" in used.text) == (409, True)
    assert len((await office.told())["replies"]) == 1


async def test_two_posts_of_one_link_at_a_time_count_once(office: Office, browser: httpx.AsyncClient) -> None:
    await office.ask(prompt="Go on?")
    place = (await links(office))["reject"]
    for _ in range(2):
        assert (await browser.post(place, data={})).status_code == 202
    await office.settle(until=timedelta(seconds=1))
    shown = await office.people.show("r1")
    assert (shown["approved"], shown["refused"]) == (False, 1)
    assert len((await office.told())["errors"]) == 1


async def test_what_is_no_good_gets_a_page_with_its_code(office: Office, browser: httpx.AsyncClient) -> None:
    await office.ask(prompt="Go on?", audience=["anna"], expires_in="2d", remind_every="1d")
    place = (await links(office, good_for=timedelta(hours=1)))["approve"]
    changed = await browser.post(place[:-4] + "AAAA", data={})
    assert (changed.status_code, "link_invalid" in changed.text) == (403, True)
    other = await LinkSigner(Keys(AOS_LINK_KEY="o" * 40), office.clock).sign(
        Link(
            "r1", (await office.people.show("r1"))["digest"], "anna", "approve", office.clock.now() + timedelta(hours=1)
        )
    )
    assert (await browser.get(f"/api/r/{other}")).status_code == 403

    async def ours(**fields: Any) -> httpx.Response:
        good = {"request_id": "r1", "digest": (await office.people.show("r1"))["digest"], "expires": office.clock.now()}
        token = await office.people.signer.sign(link(**{**good, "who": "anna", **fields}))
        return await browser.post(f"/api/r/{token}", data={})

    soon = office.clock.now() + timedelta(minutes=5)
    changed_action = await ours(digest="0" * 64, expires=soon)
    assert (changed_action.status_code, "action_changed" in changed_action.text) == (409, True)
    unknown = await ours(request_id="r9", expires=soon)
    assert (unknown.status_code, "not_found" in unknown.text) == (404, True)
    await ours(who="mallory", expires=soon)
    await office.settle(until=timedelta(hours=2))
    shown = await office.people.show("r1")
    assert (shown["status"], shown["refused"]) == ("open", 1)
    expired = await browser.get(place)
    assert (expired.status_code, "link_expired" in expired.text) == (410, True)


async def test_a_choice_and_a_correction_are_answered_by_a_form(office: Office, browser: httpx.AsyncClient) -> None:
    await office.ask(prompt="Which?", kind="choice", choices=['"a"', "b"])
    place = (await links(office))["answer"]
    assert 'value="&quot;a&quot;"' in (await browser.get(place)).text
    await browser.post(place, data={"value": '"a"'})
    await office.settle(until=timedelta(seconds=1))
    await office.ask(
        "r2", prompt="Correct it", kind="correction", schema={"type": "object"}, details={"a": "</textarea>"}
    )
    tokens, _ = await office.people.links("r2", "anna")
    place = f"/api/r/{tokens['answer']}"
    page = await browser.get(place)
    assert page.text.count("</textarea>") == 2
    wrong = await browser.post(place, data={"value": "{"})
    assert (wrong.status_code, "invalid_answer" in wrong.text, "<form" in wrong.text) == (422, True, True)
    await browser.post(place, data={"value": '{"a": 1}'})
    await office.settle(until=timedelta(seconds=1))
    assert [answer["value"] for answer in (await office.told())["replies"]] == ['"a"', {"a": 1}]


async def test_a_form_is_only_taken_on_links_and_within_limits(office: Office, browser: httpx.AsyncClient) -> None:
    await office.ask(prompt="Go on?")
    assert (await browser.post("/api/v1/requests/r1/answer", data={"approved": "true"})).status_code == 415
    place = (await links(office))["approve"]
    assert (await browser.post(place, content=b"x", headers={"Content-Type": "text/plain"})).status_code == 415
    many = await browser.post(
        place, content=b"a=1&" * 50, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert many.status_code == 422
    long = await browser.post(place, data={"comment": "x" * 5_000})
    assert long.status_code == 422


async def test_links_are_only_made_for_those_who_may_answer_what_is_open(office: Office) -> None:
    await office.ask(prompt="Go on?", audience=["anna"], expires_in="1h")
    with pytest.raises(PermissionDenied):
        await office.people.links("r1", "mallory")
    with pytest.raises(NotFound):
        await office.people.links("r9", "anna")
    _, expires = await office.people.links("r1", "anna")
    assert expires == datetime.fromisoformat((await office.people.show("r1"))["expires_at"]).astimezone(UTC)
    await office.settle()
    with pytest.raises(RequestClosed):
        await office.people.links("r1", "anna")
