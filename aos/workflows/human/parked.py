"""Questions that agents' messages wait for, under the names of requests: so people have one inbox for both."""

from __future__ import annotations

import hashlib
from typing import Any

from aos.agents.directory import Directory
from aos.agents.questions import Questions
from aos.agents.tool_use import CONFIRM_TYPE, PEOPLE, Answer
from aos.kernel.address import is_address
from aos.kernel.errors import InvalidInput, NotFound
from aos.workflows.human.action import action_digest
from aos.workflows.human.errors import ActionChanged, AnswerInvalid
from aos.workflows.human.request import QUESTION_PREFIX, GivenAnswer
from aos.workflows.human.values import as_verdict

CALL_OUTCOMES = ("executed", "not executed")
"""What a person may find where nobody knows whether a call was executed. An approval is not taken for either."""
_APPROVED, _EXECUTED = "approved", "executed"
_KINDS = {_APPROVED: "approval", _EXECUTED: "choice"}
_DIGITS = 16


class ParkedQuestions:
    """Shows the open questions of all agents, and answers those about tools."""

    def __init__(self, questions: Questions, directory: Directory) -> None:
        self._questions = questions
        self._directory = directory

    async def page(self, *, limit: int, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        """Open questions, an agent's together, and a cursor where there are more."""
        asked, following = await self._questions.page(limit=limit, cursor=cursor)
        return [_shown(question) for question in asked], following

    async def show(self, identity: str) -> dict[str, Any]:
        """One question. Raises `NotFound` where it is not open any more."""
        agent = identity[len(QUESTION_PREFIX) + _DIGITS + 1 :]
        asked = (await self._questions.page(agent=agent))[0] if is_address(agent) else []
        for question in asked:
            if _identity(question) == identity:
                return _shown(question)
        raise NotFound(f"There is no open question {identity!r}. It may have been answered, or have expired.")

    async def answer(self, shown: dict[str, Any], given: GivenAnswer) -> str:
        """Send an answer to the agent whose message waits for it; returns the message's id.

        Raises:
            InvalidInput: the question is not one about a tool.
            AnswerInvalid: it wants another kind of answer.
            ActionChanged: the answer is to another call.
        """
        agent, asks = shown["requester"], shown["asks"]
        if asks is None:
            raise InvalidInput(f"{shown['id']!r} is not about a tool. Send {agent!r} the message that answers it.")
        if given.digest is not None and given.digest != shown["digest"]:
            raise ActionChanged("The answer is to another call. Look at the question again.")
        said = _said(shown, given)
        fields = {"question": shown["question"], **said, "by": given.by, "comment": given.comment}
        data = Answer.model_validate(fields).model_dump(mode="json", exclude_none=True)
        return await self._directory.send(agent, CONFIRM_TYPE, data, source=PEOPLE)


def _identity(question: dict[str, Any]) -> str:
    digest = hashlib.sha256(str(question["id"]).encode()).hexdigest()[:_DIGITS]
    return f"{QUESTION_PREFIX}{digest}-{question['agent']}"


def _said(shown: dict[str, Any], given: GivenAnswer) -> dict[str, Any]:
    """The answer in the words of the agent."""
    if shown["asks"] == _APPROVED:
        return {_APPROVED: as_verdict(given.value if given.approved is None else given.approved)}
    value = given.value
    if given.approved is None and value in CALL_OUTCOMES:
        return {_EXECUTED: value == CALL_OUTCOMES[0]}
    is_finding = isinstance(value, dict) and {_EXECUTED} <= {*value} <= {_EXECUTED, "result"}
    if given.approved is None and is_finding and isinstance(value[_EXECUTED], bool):
        return dict(value)
    raise AnswerInvalid(
        f"{shown['id']!r} asks whether the call was executed. Answer {CALL_OUTCOMES[0]!r} or {CALL_OUTCOMES[1]!r}; "
        'with its result: {"executed": true, "result": …}.'
    )


def _shown(question: dict[str, Any]) -> dict[str, Any]:
    details = question["details"]
    call = {"tool": details.get("tool"), "arguments": details.get("arguments")}
    asks = details.get("asks")
    return {
        "id": _identity(question),
        "kind": _KINDS.get(asks, "question"),
        "choices": list(CALL_OUTCOMES) if asks == _EXECUTED else [],
        "prompt": question["message"],
        "status": "open",
        "audience": [],
        "requester": question["agent"],
        "digest": action_digest(call if asks else details),
        "opened_at": question["since"],
        "expires_at": question["expires"],
        "closed_at": None,
        "answered_by": None,
        "approved": None,
        "asks": asks,
        "question": question["id"],
        "action": {"what": call, "digest": action_digest(call)} if asks else None,
        "details": details,
    }
