"""Links: the page on which somebody answers a request without any other access.

Looking changes nothing, so that mail scanners may; only the form does.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from aos.api import link_page
from aos.api.access import system_of
from aos.api.problems import status_of
from aos.kernel.errors import AosError
from aos.workflows.human.errors import ActionChanged, AnswerInvalid, LinkExpired, RequestClosed
from aos.workflows.human.links import Link
from aos.workflows.human.request import GivenAnswer
from aos.workflows.human.values import MOST_CHARACTERS

router = APIRouter(include_in_schema=False)

_WAIT = 10.0
"""Seconds a page waits until the answer is known to count."""
_FIELDS = 5
_MOST_COMMENT = 4_000


def address(token: str, public_url: str | None) -> str:
    """Where a token's page is; only its path where nobody said how people reach the host."""
    return f"{(public_url or '').rstrip('/')}/api/r/{token}"


@router.get("/r/{token}")
async def look(token: str, request: Request) -> HTMLResponse:
    """The page of a link, with the form to answer."""
    try:
        link, shown = await _open(token, request)
    except AosError as error:
        return _failed(error)
    return link_page.response(link_page.form(link, shown))


@router.post("/r/{token}")
async def answer(token: str, request: Request) -> HTMLResponse:
    """Answer the request of a link, in the name of whom it is for."""
    system = system_of(request)
    try:
        link, shown = await _open(token, request)
        try:
            given = _given(link, shown, await request.body())
            wait = min(_WAIT, system.config.api.max_wait_seconds)
            answered = await system.people.answer(link.request_id, given, wait=wait)
        except AnswerInvalid as error:
            return link_page.response(link_page.form(link, shown, problem=error), status_of(error))
    except AosError as error:
        return _failed(error)
    if answered.accepted:
        return link_page.response(link_page.thanks(answered.shown))
    return link_page.response(link_page.received(answered.shown), 202)


async def _open(token: str, request: Request) -> tuple[Link, dict[str, Any]]:
    """A link and the request it answers. Raises where it is no good, or the request takes no answer."""
    people = system_of(request).people
    link = await people.signer.read(token)
    shown = await people.show(link.request_id)
    if shown["status"] != "open":
        by = f" by {shown['answered_by']}" if shown["answered_by"] else ""
        raise RequestClosed(f"This request is {shown['status']}{by}. It takes no answer any more.")
    if shown["digest"] != link.digest:
        raise ActionChanged("This link is for another action than the one that is asked about now.")
    return link, shown


def _given(link: Link, shown: dict[str, Any], body: bytes) -> GivenAnswer:
    """What the form says; what the link is for, it does not say."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise AnswerInvalid("The form could not be read. Open the link again.") from error
    comment = fields.get("comment", [""])[0].strip()
    if len(comment) > _MOST_COMMENT:
        raise AnswerInvalid(f"The comment is over {_MOST_COMMENT:,} characters. Shorten it.")
    said: dict[str, Any] = {"by": link.who, "comment": comment, "via": "link", "digest": link.digest}
    if link.purpose in ("approve", "reject"):
        return GivenAnswer(**said, approved=link.purpose == "approve")
    return GivenAnswer(**said, value=_value(shown["kind"], fields.get("value", [""])[0]))


def _value(kind: str, text: str) -> Any:
    if kind != "correction":
        return text.strip()[: MOST_CHARACTERS + 1]
    try:
        return json.loads(text)
    except ValueError as error:
        raise AnswerInvalid(f"The correction is not JSON: {error}.") from error


def _failed(error: AosError) -> HTMLResponse:
    status = 410 if isinstance(error, LinkExpired) else status_of(error)
    return link_page.response(link_page.failure(error), status)
