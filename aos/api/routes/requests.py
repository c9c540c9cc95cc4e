"""Requests to people: what waits for them, and their answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from aos.api.access import Cursor, Limit, system_of
from aos.api.routes.links import address
from aos.kernel.message import format_time
from aos.workflows.definition.duration import PositiveDuration
from aos.workflows.human.request import GivenAnswer, HumanRequest, Kind, Withdrawal
from aos.workflows.human.request_state import RequestStatus

router = APIRouter(tags=["requests"])

Wait = Annotated[float, Query(ge=0, le=200, description="Seconds to wait until the answer is known to count")]


class LinkOrder(BaseModel):
    """Whom links are for.

    Attributes:
        who: In whose name they answer.
        good_for: How long: 7 days by default, 90 at the most, no longer than the request waits.
    """

    model_config = ConfigDict(extra="forbid")

    who: str = Field(min_length=1, max_length=100)
    good_for: PositiveDuration = timedelta(days=7)


class ApiAnswer(GivenAnswer):
    """An answer of somebody the caller knows."""

    @property
    def given(self) -> GivenAnswer:
        # What comes with the caller's key did not come by a link, whatever it says.
        return GivenAnswer.model_validate({**self.model_dump(), "via": "cli" if self.via == "cli" else "api"})


@router.post("/requests", status_code=202)
async def ask(
    asked: HumanRequest,
    request: Request,
    response: Response,
    reply_to: Annotated[
        str | None, Query(max_length=128, description="Where the answer goes: an agent's address or `queue:<name>`")
    ] = None,
) -> dict[str, Any]:
    """Ask people something. The answer is 202 with the place of the request."""
    request_id = await system_of(request).people.ask(asked, reply_to=reply_to)
    response.headers["Location"] = f"/api/v1/requests/{request_id}"
    return {"id": request_id, "status": "pending"}


@router.get("/requests")
async def page(
    request: Request,
    audience: Annotated[str | None, Query(description="Only what this person may answer")] = None,
    kind: Kind | None = None,
    status: Annotated[RequestStatus, Query(description="Other than `open`: closed requests")] = RequestStatus.OPEN,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """What waits for people: requests, newest first, then questions about tools. Or closed requests."""
    people = system_of(request).people
    if status is RequestStatus.OPEN:
        found, following = await people.open(person=audience, kind=kind, limit=limit, cursor=cursor)
    else:
        found, following = await people.all(status=status.value, limit=limit, cursor=cursor)
    return {"requests": found, "total": len(found), "cursor": following}


@router.get("/requests/{request_id}")
async def show(request_id: str, request: Request) -> dict[str, Any]:
    """A request with its action and, once there is one, its answer. `links` says whether there can be links."""
    people = system_of(request).people
    shown = await people.show(request_id)
    reason = await people.signer.absent()
    return {**shown, "links": {"available": reason is None, **({"reason": reason} if reason else {})}}


@router.post("/requests/{request_id}/answer")
async def answer(
    request_id: str, given: ApiAnswer, request: Request, response: Response, wait: Wait = 10
) -> dict[str, Any]:
    """Answer a request. 200 when the answer counts; 202 where that is not known after `wait` seconds."""
    system = system_of(request)
    bounded = min(wait, system.config.api.max_wait_seconds)
    answered = await system.people.answer(request_id, given.given, wait=bounded)
    if not answered.accepted:
        response.status_code = 202
        response.headers["Location"] = f"/api/v1/requests/{request_id}"
        response.headers["Retry-After"] = "1"
    return {**answered.shown, "accepted": answered.accepted}


@router.post("/requests/{request_id}/withdraw", status_code=202)
async def withdraw(request_id: str, withdrawal: Withdrawal, request: Request) -> dict[str, Any]:
    """Take back a request that was asked here."""
    await system_of(request).people.withdraw(request_id, withdrawal.reason)
    return {"id": request_id, "status": "withdrawing"}


@router.post("/requests/{request_id}/links")
async def links(request_id: str, order: LinkOrder, request: Request) -> dict[str, Any]:
    """Links by which one person can answer one request. Whoever has such a link can use it: hand it to nobody else."""
    system = system_of(request)
    tokens, expires = await system.people.links(request_id, order.who, good_for=order.good_for)
    return {
        "id": request_id,
        "who": order.who,
        "expires_at": format_time(expires),
        "links": {purpose: address(token, system.config.api.public_url) for purpose, token in tokens.items()},
    }
