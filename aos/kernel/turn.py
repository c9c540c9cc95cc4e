"""The turn as an agent's code sees it: its message, its state, and everything it may do.

All of it is buffered until the commit, except steps, whose results are kept as they complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from aos.kernel.address import check_address
from aos.kernel.effects import Effects
from aos.kernel.errors import AosError, InvalidInput, NotAllowedNow, NotFound
from aos.kernel.message import Message, check_labels
from aos.kernel.outgoing import IN_JOURNAL, QUEUE_SCHEME, Outgoing, to_mailbox
from aos.kernel.ports import BlobStore, Clock
from aos.kernel.rows import Rows
from aos.kernel.settings import QuestionTerms
from aos.kernel.steps import StepJournal
from aos.kernel.trace import TraceContext

T = TypeVar("T")

ERROR_TYPE = "aos.error"
REPLY_FACT = "reply"
TIMEOUT_TYPE = "aos.timeout"
RESUME_TYPE = "aos.resume"
TAKE_UP_TYPE = "aos.take-up"
QUESTIONS_TOPIC = "aos.questions"
QUESTION_TYPE = "aos.question.asked"


@dataclass(frozen=True, slots=True)
class Request:
    """A request this agent sent earlier, handed back with its reply.

    Attributes:
        id, to, type: The message that was sent, and to whom.
        note: What the agent attached to it for this moment.
    """

    id: str
    to: str
    type: str
    note: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnScope:
    """What the kernel gives a turn to work with; the same for all messages of one turn."""

    agent: str
    version: int
    now: datetime
    ends: float
    inbox: str
    events: str
    trace: TraceContext
    clock: Clock
    blobs: BlobStore
    questions: QuestionTerms = field(default_factory=QuestionTerms)


class Turn:
    """The handling of one message.

    Attributes:
        agent: Address of the agent whose turn this is.
        version: Number of the turn in its life, from 1.
        now: When the turn began (UTC). The same on every line of it.
        message: What woke the agent.
        request: The request this message answers, if it is a reply.
        state: The agent's state as a JSON object; change or replace it freely.
        rows: What the agent keeps beside its state, for what grows.
        attempt: 1, or higher where the message was put aside for retry before.
    """

    def __init__(
        self,
        scope: TurnScope,
        message: Message,
        state: dict[str, Any],
        *,
        effects: Effects,
        steps: StepJournal,
        rows: Rows,
        request: Request | None,
        first_number: int,
        pending: Mapping[str, Any],
        max_pending: int,
        parked: Mapping[str, Any],
        steps_of: Callable[[Message], StepJournal],
    ) -> None:
        self._scope = scope
        self._effects = effects
        self._steps = steps
        self._number = first_number
        self._occurrences: dict[str, int] = {}
        self._pending = pending
        self._max_pending = max_pending
        self._parked = parked
        self._steps_of = steps_of
        self.message = message
        self.request = request
        self.state = state
        self.rows = rows

    @property
    def agent(self) -> str:
        return self._scope.agent

    @property
    def version(self) -> int:
        return self._scope.version

    @property
    def now(self) -> datetime:
        return self._scope.now

    @property
    def attempt(self) -> int:
        return self.message.attempt

    @property
    def remaining(self) -> float:
        """Seconds until the turn is cut off."""
        return max(0.0, self._scope.ends - self._scope.clock.monotonic())

    @property
    def labels(self) -> frozenset[str]:
        """Labels of the message and of all that came in since; everything the turn sends carries them."""
        return self.message.labels | self._steps.labels

    def label(self, *labels: str) -> None:
        """Mark what this turn knows from here on: content from outside is `untrusted:<where from>`.

        Raises:
            InvalidInput: a label has another shape.
        """
        self._steps.labels |= check_labels([*self._steps.labels, *labels])

    @property
    def blobs(self) -> BlobStore:
        """For reading, and for writing under names made from the content: such writes need no commit."""
        return self._scope.blobs

    def send(
        self,
        to: str,
        type: str,  # the CloudEvents word
        data: Any = None,
        *,
        subject: str | None = None,
        priority: int = 5,
        deadline: datetime | None = None,
        conversation_id: str | None = None,
        reply_to: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Send a message to another agent once this turn is committed.

        Args:
            to: The agent's address.
            type: What the message means: `review.requested`.
            data: Its JSON payload.
            subject: What it is about.
            priority: 1 to 10.
            deadline: Moment after which it is of no use; it is then a dead letter, and a requester is told.
            conversation_id: Defaults to that of the message being handled.
            reply_to: Where a reply should go, if one is expected.
            at: Not to be delivered before this moment.

        Returns:
            The id of the message.

        Raises:
            InvalidInput: `to` is not an address.
        """
        message = self._compose(
            type,
            data,
            to=check_address(to),
            subject=subject,
            priority=priority,
            deadline=deadline,
            conversation_id=conversation_id or self.message.conversation_id,
            reply_to=reply_to,
        )
        self._effects.outgoing.append(to_mailbox(self._scope.inbox, message, at=at))
        return message.id

    def ask(
        self,
        to: str,
        type: str,
        data: Any = None,
        *,
        note: Any = None,
        timeout: timedelta | None = None,
        **options: Any,
    ) -> str:
        """Send a request. Its reply wakes this agent again, with `turn.request` holding `note`.

        Args:
            to: The agent to ask.
            type: What is asked.
            data: The question's JSON payload.
            note: JSON kept with the request until the reply is here.
            timeout: After this long without a reply an `aos.error` reply with code `deadline_exceeded` is
                delivered in its place; a later reply is ignored.
            **options: As for `send`.

        Raises:
            NotAllowedNow: more requests are open than the agent's policy allows.
        """
        if len(self._pending) + len(self._effects.asked) >= self._max_pending:
            raise NotAllowedNow(
                f"Agent {self.agent!r} has {self._max_pending} requests without a reply. Wait for some, or raise "
                "`max_pending_requests` in its policy."
            )
        deadline = self.now + timeout if timeout else None
        request_id = self.send(to, type, data, reply_to=self.agent, **{"deadline": deadline, **options})
        self._effects.asked[request_id] = {"to": to, "type": type, "note": note}
        if timeout:
            self.send(self.agent, TIMEOUT_TYPE, {"request": request_id}, at=self.now + timeout)
        return request_id

    def reply(self, data: Any = None, *, type: str | None = None) -> str | None:
        """Answer the message being handled; the id of the reply. None where none is sent, as nobody expects it."""
        message = self.message
        if message.reply_to is None:
            return None
        return self._answer(
            message.reply_to,
            type or f"{message.type}.reply",
            data,
            request=message.id,
            conversation_id=message.conversation_id,
        )

    def reply_error(self, error: AosError) -> str | None:
        """Answer with an error: the requester receives an `aos.error` message."""
        return self.reply(error.to_json(), type=ERROR_TYPE)

    def publish(self, topic: str, type: str, data: Any = None) -> str:
        """Publish a topic event; agents subscribed to it get a copy in their mailboxes."""
        message = self._compose(type, data, to="", topic=topic, conversation_id=self.message.conversation_id)
        self._effects.outgoing.append(Outgoing(self._scope.events, message.to_json()))
        return message.id

    def export(self, queue: str, body: dict[str, Any], *, content_type: str = "application/json") -> None:
        """Put a JSON object on a queue outside the system, as it is: for apps with a contract of their own."""
        self._effects.outgoing.append(Outgoing(queue, body, content_type=content_type))

    def remind(
        self,
        name: str,
        type: str,
        data: Any = None,
        *,
        after: timedelta | None = None,
        at: datetime | None = None,
    ) -> str:
        """Send this agent a message later. One reminder of a name is in force: setting it again moves it.

        Raises:
            InvalidInput: neither or both of `after` and `at` are given.
        """
        if (after is None) == (at is None):
            raise InvalidInput("Give a reminder either `after` (how long from now) or `at` (when).")
        due = at or self.now + (after or timedelta())
        reminder = self.send(self.agent, type, data, at=due, subject=f"reminder:{name}")
        self._effects.reminders[name] = reminder
        return reminder

    def forget(self, name: str) -> None:
        """Cancel the reminder of this name, if there is one."""
        self._effects.reminders[name] = None

    async def step(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do something once, however often the message comes back: call a model, a tool, another system.

        The JSON result is stored before this returns; on a redelivery or a retry it is returned and `work` is
        not called. A crash between the effect and the storing repeats the effect, so hand
        `idempotency_key(name)` to services that take one.

        Args:
            name: What the step is; repeated names are counted, so a loop may use one name.
            work: A function returning an awaitable of a JSON value.
        """
        key = self._step_key(name)
        done, result = await self._steps.recall(key)
        if done:
            return result  # type: ignore[no-any-return]  # JSON of what `work` returned before
        return await self._steps.keep(key, await work())  # type: ignore[no-any-return]

    async def recorded(self) -> dict[str, Any]:
        """What the steps of this message brought so far, in this delivery and earlier ones, by row key."""
        return await self._steps.recorded()

    def occurrence(self, name: str) -> int:
        """How often this was asked for this name before: numbers what may happen several times in a turn."""
        count = self._occurrences.get(name, 0)
        self._occurrences[name] = count + 1
        return count

    async def answer_to(self, question: str) -> tuple[bool, Any]:
        """Whether a question that this message was set aside for (`NeedsAnswer`) is answered, and the answer."""
        return await self._steps.recall(_answer_key(question))

    def question(self, question: str) -> dict[str, Any]:
        """A question that a message of this agent waits for: `message`, `question` and `since`.

        Raises:
            NotFound: no message waits for it.
        """
        if question not in self._parked or question in self._effects.resumed:
            waiting = ", ".join(self._parked) or "none"
            raise NotFound(f"No message of {self.agent!r} waits for an answer to {question!r}. Open: {waiting}.")
        return dict(self._parked[question])

    async def resume(self, question: str, answer: Any) -> None:
        """Answer a question: the message that waits for it is handled again, with the steps it took before.

        Raises:
            NotFound: no message waits for it.
        """
        message = Message.from_json(self.question(question)["message"])
        await self._steps_of(message).keep(_answer_key(question), answer)
        self._effects.resumed.add(question)
        self.record("question.closed", question=question)
        self._effects.outgoing.append(to_mailbox(self._scope.inbox, message.next_attempt()))

    def idempotency_key(self, name: str) -> str:
        """A key for an external call, the same on every delivery, attempt and resubmission of this message."""
        identity = f"{self.agent}\n{self.message.source}\n{self.message.first_id}\n{name}"
        return hashlib.sha256(identity.encode()).hexdigest()[:32]

    def decide(
        self,
        question: str,
        selected: str,
        *,
        rationale: str,
        alternatives: list[dict[str, Any]] | None = None,
        confidence: float | None = None,
        evidence: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Put a decision on record in the journal: what was chosen, why, and what else was weighed."""
        decision = {
            "decision_id": f"{self.agent}:{self.version}:d{len(self._effects.decisions)}",
            "question": question,
            "selected": selected,
            "rationale": rationale,
            "alternatives": alternatives or [],
            "confidence": confidence,
            "evidence": evidence or [],
        }
        self._effects.decisions.append(decision)
        return decision

    def record(self, kind: str, **facts: Any) -> None:
        """Put facts on record in the journal."""
        self._effects.facts.append({"kind": kind, **facts})

    def spend(self, **amounts: float) -> None:
        """Add to the turn's usage: tokens, money, seconds of tools."""
        for name, amount in amounts.items():
            self._effects.usage[name] = self._effects.usage.get(name, 0) + amount

    def _answer(self, to: str, type_: str, data: Any, *, request: str, conversation_id: str | None) -> str | None:
        """Send the answer to a request, or put it on record where its sender has no mailbox."""
        if to == IN_JOURNAL:
            self.record(REPLY_FACT, request=request, type=type_, data=data)
            return None
        queue = to.removeprefix(QUEUE_SCHEME) if to.startswith(QUEUE_SCHEME) else None
        message = self._compose(
            type_,
            data,
            to="" if queue else check_address(to),
            conversation_id=conversation_id,
            correlation_id=request,
        )
        if queue:
            self._effects.outgoing.append(Outgoing(queue, message.to_json()))
        else:
            self._effects.outgoing.append(to_mailbox(self._scope.inbox, message))
        return message.id

    def _compose(self, type_: str, data: Any, **fields: Any) -> Message:
        number = self._number + len(self._effects.outgoing)
        return Message(
            id=f"{self.agent}:{self.version}:{number}",
            source=self.agent,
            type=type_,
            time=self.now,
            data=data,
            causation_id=self.message.id,
            traceparent=self._scope.trace.traceparent,
            labels=check_labels(self.labels),
            **fields,
        )

    def _step_key(self, name: str) -> str:
        return f"{_digest(name)}:{self.occurrence(f'step {name}')}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _answer_key(question: str) -> str:
    return f"{_digest(question)}:answer"
