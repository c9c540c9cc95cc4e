"""Requests to people with reminders, escalation, expiry and defaults; answers come twice, late, or from others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar

from aos.agents import Agent
from aos.kernel.deadletter import DeadLetter
from aos.kernel.journal import JournalEntry
from aos.kernel.message import Message
from aos.kernel.turn import ERROR_TYPE, Turn
from aos.testing.simulation.workload import Actor, Ending, Workload
from aos.workflows.human.asking import ask_people, withdraw_request
from aos.workflows.human.request import ANSWER, TOPIC, HumanRequest
from aos.workflows.human.request_agent import API, REFUSED, RequestAgent
from aos.workflows.human.request_state import RequestState

_REQUESTS = 4
_PEOPLE = ("anna", "ben", "cleo", "nobody")
_ANSWERS = 5
_WRONG = "0" * 64
_ENDS = ("request.answered", "request.expired", "request.withdrawn")
_EVERY = timedelta(minutes=1)


class Approvals(Workload):
    name = "approvals"
    pace: ClassVar[float] = 60.0
    max_deliveries = 5
    checks = ("each request ended once", "one answer counts", "no answer after expiry", "reminders in their time")

    def actors(self) -> Sequence[Actor | Agent[Any]]:
        return [RequestAgent(), Actor("asker", self._act, initial={"asked": [], "outcomes": {}})]

    def letters(self) -> list[list[Message]]:
        orders = [self.message("owner", n, "asker", "ask", self._request(n)) for n in range(_REQUESTS)]
        if self.chance.random() < 0.5:
            orders.append(self.message("owner", _REQUESTS, "asker", "withdraw", self.chance.randrange(_REQUESTS)))
        return [orders, *([self._answer(person, n) for n in range(_ANSWERS)] for person in _PEOPLE)]

    def _request(self, number: int) -> dict[str, Any]:
        kind, default = self.chance.choice((("approval", False), ("question", "none"), ("choice", "b")))
        seconds = self.chance.choice((20, 100, 250))
        escalate = [{"after": after, "to": to} for after, to in ((15, "cleo"), (70, "dora")) if after < seconds]
        return {
            "id": f"r{number}",
            "kind": kind,
            "prompt": "What now?",
            "choices": ["a", "b"] if kind == "choice" else [],
            "audience": ["anna", "ben"],
            "action": {"what": f"Action {number}"},
            "expires_in": seconds,
            "default": self.chance.choice((None, default)),
            "remind_every": _EVERY.total_seconds(),
            "escalate": escalate,
        }

    def _answer(self, person: str, number: int) -> Message:
        given: dict[str, Any] = {
            "value": self.chance.choice((True, True, False, "a", "a")),
            "by": person,
            "comment": f"{person}-{number}",
            "digest": _WRONG if self.chance.random() < 0.1 else None,
        }
        request = f"request:r{self.chance.randrange(min(_REQUESTS, number + 1))}"
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        return Message(id=given["comment"], source=API, type=ANSWER, time=moment, to=request, data=given)

    async def _act(self, turn: Turn) -> None:
        data, state = turn.message.data, turn.state
        if turn.request is not None:
            state["outcomes"].setdefault(turn.request.note, []).append([turn.message.type, data])
        elif turn.message.type == "withdraw":
            withdraw_request(turn, f"r{data}", "not needed")
        else:
            state["asked"].append(data["id"])
            ask_people(turn, data["id"], HumanRequest.model_validate(data), note=data["id"])

    def acceptable(self, letter: DeadLetter) -> bool:
        """An answer, or its withdrawal, may come before the request."""
        return letter.error["code"] == "not_found" and letter.agent.startswith("request:")

    def check(self, ending: Ending) -> Iterator[str]:
        asker = ending.states.get("asker", {"asked": [], "outcomes": {}})
        if sorted(asker["asked"]) != [f"r{number}" for number in range(_REQUESTS)]:
            yield f"the asker asked {asker['asked']}"
        for request_id in asker["asked"]:
            agent = f"request:{request_id}"
            entries = ending.journals.get(agent, ())
            state = RequestState.model_validate(ending.states.get(agent, {}))
            outcomes = asker["outcomes"].get(request_id, [])
            yield from (f"{agent}: {problem}" for problem in _ended_once(state, entries, outcomes))
            yield from (f"{agent}: {problem}" for problem in _one_answer_counts(state, entries))
            yield from (f"{agent}: {problem}" for problem in _in_their_time(state, entries))
        yield from (f"{agent} has requests open" for agent in ending.waiting)


def _ended_once(state: RequestState, entries: Sequence[JournalEntry], outcomes: Sequence[Any]) -> Iterator[str]:
    told = [event for _, event in _told(entries)]
    if state.is_open or state.closed_at is None:
        yield "is open still"
    if sum(event in _ENDS for event in told) != 1 or told[-1] != f"request.{state.status.value}":
        yield f"it is {state.status.value} and told {told}"
    if len(outcomes) != 1:
        yield f"its requester got {outcomes}"
        return
    type_, data = outcomes[0]
    if type_ == ERROR_TYPE and data["code"] == "delivery_failed":
        return
    answer = state.answer.model_dump(mode="json") if state.answer is not None else None
    brought = data["details"].get("answer") if type_ == ERROR_TYPE else data
    if answer != brought:
        yield f"its requester got {data}, and the answer is {answer}"


def _one_answer_counts(state: RequestState, entries: Sequence[JournalEntry]) -> Iterator[str]:
    taken = [record["message"] for entry in entries for record in entry.received if _is_answer(record)]
    refused = {fact["message"] for entry in entries for fact in entry.facts if fact["kind"] == REFUSED}
    # By what is written in them: an answer that was sent again has another id.
    counted = [message["data"] for message in taken if message["id"] not in refused]
    names = [given["comment"] for given in counted]
    answer, request = state.answer, state.request
    if answer is None or answer.via == "default" or request is None:
        if counted:
            yield f"{names} were accepted, and the request is {state.status.value}"
        return
    if names != [answer.comment]:
        yield f"{answer.comment} counts, and accepted were {names}"
    if state.expires_at is not None and answer.at >= state.expires_at:
        yield f"{answer.comment} came at {answer.at}, and the request had expired at {state.expires_at}"
    if answer.by not in state.audience or any(given["digest"] == _WRONG for given in counted):
        yield f"{answer.comment} is not an answer that may count"


def _in_their_time(state: RequestState, entries: Sequence[JournalEntry]) -> Iterator[str]:
    if state.request is None or state.opened_at is None:
        return
    reminded = [at for at, event in _told(entries) if event == "request.reminded"]
    if len(reminded) != state.reminders or any(later - at < _EVERY for at, later in pairwise(reminded)):
        yield f"reminded at {reminded}, {state.reminders} times by its state"
    escalated = [at for at, event in _told(entries) if event == "request.escalated"]
    due = [state.opened_at + step.after for step in state.request.escalate]
    if len(escalated) != state.steps or any(at < when for at, when in zip(escalated, due, strict=False)):
        yield f"escalated at {escalated}, and that was due at {due}"


def _told(entries: Sequence[JournalEntry]) -> list[tuple[datetime, str]]:
    """The events it published, and when."""
    return [
        (datetime.fromisoformat(record["body"]["time"]), record["body"]["type"])
        for entry in entries
        for record in entry.sent
        if record["body"].get("topic") == TOPIC
    ]


def _is_answer(record: Mapping[str, Any]) -> bool:
    return bool(record["outcome"] == "applied" and record["message"]["type"] == ANSWER)
