"""People: what is asked of them, and their answers. Everything here posts to mailboxes or reads.

Requests and the questions that messages wait for are one inbox: both are listed, shown and answered here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aos.agents.directory import Directory
from aos.agents.tool_use import PEOPLE as QUESTIONS_ANSWERED_BY
from aos.kernel.address import is_address
from aos.kernel.errors import AlreadyExists, AosError, InvalidInput, NotFound, PermissionDenied, TerminalError
from aos.kernel.kernel import Kernel
from aos.kernel.outgoing import QUEUE_SCHEME
from aos.kernel.ports import Clock, Ids
from aos.workflows.human.errors import ActionChanged, AnswerInvalid, RequestClosed
from aos.workflows.human.links import Link, LinkSigner, Purpose
from aos.workflows.human.parked import ParkedQuestions
from aos.workflows.human.request import (
    ANSWER,
    ASK,
    QUESTION_PREFIX,
    WITHDRAW,
    GivenAnswer,
    HumanRequest,
    Withdrawal,
    request_address,
)
from aos.workflows.human.request_agent import API, LINKS, REFUSED
from aos.workflows.human.request_index import ALL, ANYBODY, OPEN, RequestIndex, list_of
from aos.workflows.human.request_state import RequestState, detail

LINK_TIME = timedelta(days=7)
"""How long a link is good where nobody says, or until its request expires."""
MOST_LINK_TIME = timedelta(days=90)
_REQUESTS, _QUESTIONS = "r", "q"
"""Begin the cursors of the two parts of the inbox."""
_REFUSALS: dict[str, type[AosError]] = {
    error.code: error for error in (ActionChanged, AnswerInvalid, PermissionDenied, RequestClosed)
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer: the request or question as it is now, and whether the answer is known to count."""

    accepted: bool
    shown: dict[str, Any]


class People:
    """What a system asks of people.

    Attributes:
        signer: Makes and reads links.
    """

    def __init__(
        self,
        kernel: Kernel,
        directory: Directory,
        index: RequestIndex,
        questions: ParkedQuestions,
        signer: LinkSigner,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._kernel = kernel
        self._directory = directory
        self._index = index
        self._questions = questions
        self._clock = clock
        self._ids = ids
        self.signer = signer

    async def ask(self, request: HumanRequest, *, requester: str = API, reply_to: str | None = None) -> str:
        """Ask people something; returns the request's id.

        Args:
            request: What is asked; it is given an id where it has none.
            requester: In whose name.
            reply_to: Where the answer goes: an agent's address or `queue:<name>`. It can be looked up in any case.

        Raises:
            AlreadyExists: there is a request of this id.
            InvalidInput: `reply_to` is no such place.
        """
        if reply_to is not None and not is_address(reply_to) and not reply_to.startswith(QUEUE_SCHEME):
            raise InvalidInput(f"{reply_to!r} is no place for an answer. Name an agent's address or `queue:<name>`.")
        request_id = request.id or f"{self._clock.now():%Y%m%d-%H%M%S}-{self._ids.new()[:8]}"
        if await self._kernel.heads.read(request_address(request_id)) is not None:
            raise AlreadyExists(f"Request {request_id!r} was asked already. Use another id.")
        data = request.model_copy(update={"id": request_id}).model_dump(mode="json", by_alias=True)
        await self._post(request_id, ASK, data, requester, message_id=f"ask-{request_id}", reply_to=reply_to)
        return request_id

    async def open(
        self, *, person: str | None = None, kind: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """What waits for people: requests, newest first, then questions; and a cursor where there may be more.

        Args:
            person: Only what this person may answer.
            kind: Only requests of this kind.
            limit: At most so many.
            cursor: Where the page before said to go on.
        """
        lists = (OPEN,) if person is None else (list_of(person), ANYBODY)
        where = {"kind": kind} if kind else None
        part, _, at = (cursor or f"{_REQUESTS}:").partition(":")
        found: list[dict[str, Any]] = []
        if part == _REQUESTS:
            page = await self._index.page(lists, limit=limit, after=at or None, where=where)
            found = [shown for _, shown in page]
            if len(page) >= limit:
                return found, f"{_REQUESTS}:{page[-1][0]}"
            at = ""
        asked, following = await self._questions.page(limit=limit - len(found), cursor=at or None)
        found += [shown for shown in asked if kind in (None, shown["kind"])]
        return found, f"{_QUESTIONS}:{following}" if following is not None else None

    async def all(
        self, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Requests whether open or not, newest first. Questions are listed while they are open."""
        where = {"status": status} if status else None
        page = await self._index.page((ALL,), limit=limit, after=cursor, where=where)
        return [shown for _, shown in page], page[-1][0] if len(page) >= limit else None

    async def show(self, request_id: str) -> dict[str, Any]:
        """A request or an open question with everything known of it. Raises `NotFound`."""
        if request_id.startswith(QUESTION_PREFIX):
            return await self._questions.show(request_id)
        return detail(await self._state(request_id))

    async def answer(self, request_id: str, given: GivenAnswer, *, wait: float = 0.0) -> Answered:
        """Answer a request or a question.

        Args:
            request_id: Which.
            given: The answer, and by whom.
            wait: Seconds to wait until the answer is known to count or not.

        Raises:
            NotFound: there is no such request.
            AnswerInvalid, PermissionDenied, ActionChanged, RequestClosed: the answer does not count, as far as it is
                known by then.
        """
        if request_id.startswith(QUESTION_PREFIX):
            shown = await self._questions.show(request_id)
            message_id = await self._questions.answer(shown, given)
            accepted = await self._wait(shown["requester"], message_id, QUESTIONS_ANSWERED_BY, wait)
            return Answered(accepted, {**shown, "status": "answered" if accepted else "open"})
        state = await self._state(request_id)
        if not state.is_open:
            raise RequestClosed(
                f"Request {request_id!r} is closed: it is {state.status.value}.", details={"status": state.status.value}
            )
        source = LINKS if given.via == "link" else API
        message_id = await self._post(request_id, ANSWER, given.model_dump(mode="json"), source)
        accepted = await self._wait(request_address(request_id), message_id, source, wait)
        return Answered(accepted, await self.show(request_id))

    async def withdraw(self, request_id: str, reason: str, *, requester: str = API) -> None:
        """Take back a request that is not needed any more. One that is closed stays as it is. Raises `NotFound`."""
        state = await self._state(request_id)
        if state.request is not None and state.request.requester != requester:
            raise PermissionDenied(f"Only its requester, {state.request.requester!r}, can withdraw {request_id!r}.")
        await self._post(request_id, WITHDRAW, Withdrawal(reason=reason).model_dump(), requester)

    async def links(
        self, request_id: str, who: str, *, good_for: timedelta | None = None
    ) -> tuple[dict[Purpose, str], datetime]:
        """Tokens by which one person can answer one request, by what each does, and when they expire.

        Args:
            request_id: Which.
            who: In whose name they answer.
            good_for: 7 days by default, 90 at the most, and no longer than the request waits.

        Raises:
            NotFound, RequestClosed, PermissionDenied: there is no such request, it is closed, or not for this person.
            LinksNotConfigured: there is no key.
        """
        state = await self._state(request_id)
        request = state.request
        if request is None or not state.is_open:
            raise RequestClosed(f"Request {request_id!r} is closed. No link can answer it.")
        if state.audience and who not in state.audience:
            raise PermissionDenied(f"{who!r} is not among those who may answer request {request_id!r}.")
        if good_for is not None and not timedelta() < good_for <= MOST_LINK_TIME:
            raise InvalidInput(f"A link is good for {MOST_LINK_TIME.days} days at the most.")
        expires = self._clock.now() + (good_for or LINK_TIME)
        if state.expires_at is not None:
            expires = min(expires, state.expires_at)
        purposes: tuple[Purpose, ...] = ("approve", "reject") if request.kind == "approval" else ("answer",)
        tokens = {
            purpose: await self.signer.sign(Link(request_id, request.digest, who, purpose, expires))
            for purpose in purposes
        }
        return tokens, expires

    async def _state(self, request_id: str) -> RequestState:
        address = request_address(request_id)
        head = await self._kernel.heads.read(address) if is_address(address) else None
        state = RequestState() if head is None else RequestState.model_validate_json(head.state)
        if state.request is None:
            raise NotFound(f"There is no request {request_id!r}. List the requests to see which there are.")
        return state

    async def _post(
        self,
        request_id: str,
        message_type: str,
        data: Any,
        source: str,
        *,
        message_id: str | None = None,
        reply_to: str | None = None,
    ) -> str:
        return await self._directory.send(
            request_address(request_id),
            message_type,
            data,
            source=source,
            message_id=message_id,
            conversation_id=request_address(request_id),
            reply_to=reply_to,
        )

    async def _wait(self, agent: str, message_id: str, source: str, seconds: float) -> bool:
        """Whether it became known in time what became of an answer.

        Raises:
            AosError: it was refused.
        """
        outcome = await self._directory.await_outcome(agent, message_id, seconds=seconds, source=source)
        if outcome["outcome"] not in ("applied", "dead"):
            return False
        await self._check_refused(agent, message_id, outcome)
        return True

    async def _check_refused(self, agent: str, message_id: str, outcome: dict[str, Any]) -> None:
        if "error" in outcome:
            raise _refusal(outcome["error"])
        entry = await self._kernel.journal.entry(agent, outcome["version"])
        for fact in entry.facts:
            if fact["kind"] == REFUSED and fact["message"] == message_id:
                raise _refusal(fact["error"])


def _refusal(error: dict[str, Any]) -> AosError:
    kind = _REFUSALS.get(error["code"], TerminalError)
    return kind(error["message"], code=error["code"], details=error["details"])
