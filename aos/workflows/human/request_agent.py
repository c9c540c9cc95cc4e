"""The agent behind a request to people: it waits for one answer, reminds, escalates, and tells whoever asked.

There is one for each request, `request:<id>`, and it is the only writer of it; so an answer counts once.
"""

from __future__ import annotations

from typing import Any

from aos.agents import Agent, Turn, on
from aos.kernel.errors import AlreadyExists, AosError, InvalidInput, NotFound, PermissionDenied, TerminalError
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.human.errors import (
    ActionChanged,
    AnswerInvalid,
    RequestClosed,
    RequestExpired,
    RequestRejected,
    RequestWithdrawn,
)
from aos.workflows.human.request import (
    ANSWER,
    ASK,
    QUESTION_PREFIX,
    TOPIC,
    TYPE,
    WITHDRAW,
    GivenAnswer,
    HumanAnswer,
    HumanRequest,
    Via,
    Withdrawal,
)
from aos.workflows.human.request_state import RequestState, RequestStatus, summary
from aos.workflows.human.values import check_file, check_value

API = "/api/requests"
LINKS = "/api/links"
"""Sources of people's answers. Nobody else is one: an agent could be talked into approving what it asks for."""
REFUSED = "request.refused"
_REMIND, _ESCALATE, _EXPIRE = "request.remind", "request.escalate", "request.expire"
_UNTRUSTED = "untrusted:"


class RequestAgent(Agent[RequestState]):
    """Sees one request to people through."""

    type = TYPE
    name = "Request"
    purpose = "Bring one question to people and one answer back"
    listed = False

    @on(ASK)
    async def open(self, turn: Turn, state: RequestState, request: HumanRequest) -> None:
        request_id = turn.agent.partition(":")[2]
        if state.request is not None:
            raise AlreadyExists(f"Request {request_id!r} was asked already. Use another id.")
        if request.id not in ("", request_id):
            raise InvalidInput(
                f"The request's id is {request.id!r}, but it was sent to {turn.agent!r}. Make them equal."
            )
        if request_id.startswith(QUESTION_PREFIX):
            raise InvalidInput(f"A request's id cannot begin with {QUESTION_PREFIX!r}. Use another.")
        request.id, request.requester = request_id, turn.message.source
        state.request, state.opened_at, state.held = request, turn.now, turn.hold_reply()
        if request.expires_in is not None:
            state.expires_at = turn.now + request.expires_in
        if _is_safe(turn, request):
            rationale = "It has none of the words that need a person, and its requester lets it be approved then."
            self._answered(turn, state, True, by="policy", via="policy", rationale=rationale)
            return
        self._tell(turn, state, "opened")
        if state.expires_at is not None:
            turn.remind("expire", _EXPIRE, at=state.expires_at)
        self._plan_reminder(turn, request)
        self._plan_escalation(turn, state, request)

    @on(ANSWER)
    async def take(self, turn: Turn, state: RequestState, given: GivenAnswer) -> None:
        if state.request is None:
            raise NotFound(f"There is no request {turn.agent!r}. List the requests to see which there are.")
        try:
            value = await _accepted(turn, state, given)
        except TerminalError as refusal:
            # Not raised: a person's slip is no dead letter, and the request stays as it is.
            state.refused += 1
            turn.record(REFUSED, message=turn.message.id, by=given.by, via=given.via, error=refusal.to_json())
            turn.reply_error(refusal)
            return
        rationale = given.comment or "No reason was given."
        answer = self._answered(
            turn, state, value, by=given.by, via=given.via, rationale=rationale, comment=given.comment
        )
        turn.reply(answer.model_dump(mode="json"))

    @on(WITHDRAW)
    async def withdraw(self, turn: Turn, state: RequestState, withdrawal: Withdrawal) -> None:
        if state.request is None:
            raise NotFound(f"There is no request {turn.agent!r} to withdraw.")
        if turn.message.source != state.request.requester:
            raise PermissionDenied(f"Only its requester, {state.request.requester!r}, can withdraw {turn.agent!r}.")
        if state.is_open:
            turn.record("request.withdrawn", reason=withdrawal.reason)
            error = RequestWithdrawn(f"The request was withdrawn: {withdrawal.reason}")
            self._close(turn, state, RequestStatus.WITHDRAWN, error)

    @on(_REMIND)
    async def remind(self, turn: Turn, state: RequestState, _: Any) -> None:
        request = self._waiting(turn, state)
        if request is not None:
            state.reminders += 1
            self._tell(turn, state, "reminded", reminder=state.reminders)
            self._plan_reminder(turn, request)

    @on(_ESCALATE)
    async def escalate(self, turn: Turn, state: RequestState, _: Any) -> None:
        request = self._waiting(turn, state)
        if request is not None:
            added = request.escalate[state.steps].to
            state.steps += 1
            state.escalated = list(dict.fromkeys([*state.escalated, *added]))
            self._tell(turn, state, "escalated", to=added)
            self._plan_escalation(turn, state, request)

    @on(_EXPIRE)
    async def expire(self, turn: Turn, state: RequestState, _: Any) -> None:
        request = _due(turn, state)
        if request is not None:
            self._expired(turn, state, request)

    def _waiting(self, turn: Turn, state: RequestState) -> HumanRequest | None:
        """The request whose clock rings, unless it is over: then it ends, as its own alarm may have been given up."""
        request = _due(turn, state)
        if request is None or state.expires_at is None or state.expires_at > turn.now:
            return request
        self._expired(turn, state, request)
        return None

    def _expired(self, turn: Turn, state: RequestState, request: HumanRequest) -> None:
        if request.default is not None:
            rationale = "Nobody answered in time, so the default of the request counts."
            self._answered(turn, state, request.default, by="default", via="default", rationale=rationale)
            return
        details = {"request_id": request.id, "prompt": request.prompt, "audience": state.audience}
        error = RequestExpired(f"Nobody answered request {request.id!r} in time. Ask again.", details=details)
        self._close(turn, state, RequestStatus.EXPIRED, error)

    def _plan_reminder(self, turn: Turn, request: HumanRequest) -> None:
        if request.remind_every is not None:
            turn.remind("remind", _REMIND, after=request.remind_every)

    def _plan_escalation(self, turn: Turn, state: RequestState, request: HumanRequest) -> None:
        if state.steps < len(request.escalate):
            opened = state.opened_at or turn.now
            turn.remind("escalate", _ESCALATE, at=opened + request.escalate[state.steps].after)

    def _answered(
        self, turn: Turn, state: RequestState, value: Any, *, by: str, via: Via, rationale: str, comment: str = ""
    ) -> HumanAnswer:
        """Close the request with an answer, put it on record, and bring it to whoever asked."""
        request = state.request
        assert request is not None  # noqa: S101  # only what was asked is answered
        approved = value if request.kind == "approval" else None
        state.answer = answer = HumanAnswer(
            request_id=request.id,
            kind=request.kind,
            value=value,
            approved=approved,
            by=by,
            at=turn.now,
            comment=comment,
            via=via,
        )
        turn.decide(
            request.prompt,
            _selected(answer),
            rationale=rationale,
            alternatives=[{"option": choice} for choice in request.choices if choice != value],
            evidence=[{"by": by, "via": via, "digest": request.digest, "policy_version": request.policy_version}],
        )
        rejected = RequestRejected(
            f"{by!r} rejected request {request.id!r}: {rationale}", details={"answer": answer.model_dump(mode="json")}
        )
        self._close(turn, state, RequestStatus.ANSWERED, rejected if approved is False else answer)
        return answer

    def _close(self, turn: Turn, state: RequestState, status: RequestStatus, outcome: HumanAnswer | AosError) -> None:
        state.status, state.closed_at = status, turn.now
        for name in ("remind", "escalate", "expire"):
            turn.forget(name)
        self._tell(turn, state, status.value)
        if isinstance(outcome, AosError):
            turn.reply_to_held(state.held, outcome.to_json(), type=ERROR_TYPE)
        else:
            turn.reply_to_held(state.held, outcome.model_dump(mode="json"))

    def _tell(self, turn: Turn, state: RequestState, what: str, **facts: Any) -> None:
        turn.publish(TOPIC, f"{TYPE}.{what}", {**summary(state), **facts})


def _is_safe(turn: Turn, request: HumanRequest) -> bool:
    """Whether nobody needs to be asked. What came from outside is not taken at its word."""
    is_outside = any(label.startswith(_UNTRUSTED) for label in turn.labels)
    return request.auto_approve_safe and not is_outside and not request.unsafe_words


def _due(turn: Turn, state: RequestState) -> HumanRequest | None:
    """The request whose clock rings; None where it is closed."""
    if turn.message.source != turn.agent:
        raise PermissionDenied(f"{turn.message.type!r} is sent by the request itself, not by {turn.message.source!r}.")
    return state.request if state.is_open else None


async def _accepted(turn: Turn, state: RequestState, given: GivenAnswer) -> Any:
    """The value of an answer that counts. Raises what is wrong with another."""
    request = state.request
    assert request is not None  # noqa: S101  # only what was asked is answered
    if turn.message.source not in (API, LINKS) or turn.message.labels:
        raise PermissionDenied(f"Requests are answered by people, not by {turn.message.source!r}.")
    if not state.is_open or (state.expires_at is not None and state.expires_at <= turn.now):
        raise RequestClosed(_closed_text(state), details={"status": state.status.value})
    if state.audience and given.by not in state.audience:
        raise PermissionDenied(f"{given.by!r} is not among those who may answer request {request.id!r}.")
    if given.digest is not None and given.digest != request.digest:
        raise ActionChanged(f"The answer is to another action than request {request.id!r}. Look at it again.")
    if given.approved is not None and request.kind != "approval":
        raise AnswerInvalid(f"Request {request.id!r} is a {request.kind}. Answer it with a value.")
    value = check_value(request, given.value if given.approved is None else given.approved)
    if request.kind == "file":
        await check_file(request, value, turn.blobs)
    return value


def _closed_text(state: RequestState) -> str:
    if state.answer is not None:
        return f"The request was answered by {state.answer.by!r}. An answer counts once."
    if state.status is RequestStatus.WITHDRAWN:
        return "The request was withdrawn; no answer is needed any more."
    return "The request has expired."


def _selected(answer: HumanAnswer) -> str:
    if answer.approved is not None:
        return "approved" if answer.approved else "rejected"
    return str(answer.value)[:500]
