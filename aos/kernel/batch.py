"""Handles the messages of one turn in order, each with a savepoint: one that fails takes only its own effects with it.

What comes out is everything the commit has to write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from aos.kernel import questions
from aos.kernel.behaviour import Abandoning, Behaviour
from aos.kernel.deadletter import dead_letter
from aos.kernel.effects import Effects
from aos.kernel.errors import (
    AosError,
    AttemptsExhausted,
    DeadlineExceeded,
    HandlerFailed,
    InfrastructureError,
    NeedsAnswer,
    NotAllowedNow,
    QuestionExpired,
    StateTooLarge,
    TerminalError,
    TurnTimedOut,
)
from aos.kernel.head import Head
from aos.kernel.json_text import from_bytes, to_bytes
from aos.kernel.message import Message, format_time
from aos.kernel.order import DRAIN
from aos.kernel.outgoing import awaits_answer, to_mailbox
from aos.kernel.ports import Ids
from aos.kernel.rows import MOST_BYTES, MOST_ROWS, Rows, StoredRows
from aos.kernel.steps import StepJournal
from aos.kernel.turn import (
    ERROR_TYPE,
    TIMEOUT_TYPE,
    Request,
    Turn,
    TurnScope,
)

REMINDER_SUBJECT = "reminder:"
_MOST_ROOM = 98
"""Operations of a transaction that are not the head and the journal entry."""


@dataclass(slots=True)
class Outcome:
    """What became of one message: `applied`, `retried`, `parked`, `dead`, `ignored`, `held` or `aside`."""

    message: Message
    kind: str
    error: AosError | None = None


class Batch:
    """The messages of one turn, from the first to the commit.

    Attributes:
        head: The head as it will be; a copy, so that a failed commit leaves the old one untouched.
        before: The state at the start of the turn.
        effects: What all messages together decided.
        outcomes: What became of each message, in order.
        finished_steps: Rows of steps that the commit deletes.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        head: Head,
        scope: TurnScope,
        ids: Ids,
        make_steps: Callable[[Message], StepJournal],
        rows: StoredRows,
    ) -> None:
        self._behaviour = behaviour
        self._policy = behaviour.policy
        self._scope = scope
        self._ids = ids
        self._make_steps = make_steps
        self._rows = rows
        self.before = from_bytes(head.state) if head.version else {}
        self.head = replace(
            head,
            version=scope.version,
            pending=dict(head.pending),
            reminders=dict(head.reminders),
            waiting=head.waiting.copy(),
            aside=head.aside.copy(),
            vitals=head.vitals.copy(),
            parked=dict(head.parked),
            counters=dict(head.counters),
            recent=head.recent.copy(self._policy.dedupe_window),
        )
        self.effects = Effects()
        self.outcomes: list[Outcome] = []
        self.finished_steps: set[str] = set()

    def is_full(self, held: int) -> bool:
        """Whether one more message might not fit the transaction, which has `held` operations for held messages."""
        rows = self.effects.rows
        size = sum(row.size for row in rows.values())
        return len(rows) + held + MOST_ROWS + DRAIN + 1 > _MOST_ROOM or size > MOST_BYTES

    @property
    def is_late(self) -> bool:
        """Whether the turn has less time left than a handler may take."""
        return self._scope.ends - self._scope.clock.monotonic() < self._policy.message_timeout

    def is_too_late(self, message: Message) -> bool:
        """Whether nobody waits for it any more: a reminder that was moved, a reply to what was answered."""
        return self._recognise(message) is None

    async def handle(self, message: Message) -> Outcome:
        """Deal with one message; never raises for what the message or the agent did wrong."""
        outcome = await self._outcome(message)
        self.settle(outcome)
        return outcome

    async def give_up(self, message: Message, error: AosError) -> None:
        """Make a message a dead letter that the bus would not deliver any more."""
        self.settle(await self._give_up(message, error, self._make_steps(message)))

    def settle(self, outcome: Outcome) -> None:
        """Write down what became of a message."""
        self.outcomes.append(outcome)
        self.head.recent.add(outcome.message.dedupe_key, self._scope.version)
        counters = self.head.counters
        counters[outcome.kind] = counters.get(outcome.kind, 0) + 1
        message = outcome.message
        about = {"time": format_time(self._scope.now), "type": message.type, "message_id": message.id}
        self.head.vitals.note(outcome.kind, outcome.error, about)

    async def _outcome(self, message: Message) -> Outcome:
        if questions.is_check(message, self._scope.agent):
            return await self._look_at_question(message)
        prepared = self._recognise(message)
        if prepared is None:
            return Outcome(message, "ignored")
        shown, request = prepared
        steps = self._make_steps(message)
        effects = Effects()
        try:
            state = await self._run(shown, request, effects, steps)
        except InfrastructureError:
            raise
        except NeedsAnswer as error:
            return await self._park(message, error, steps)
        except TerminalError as error:
            return await self._give_up(message, error, steps)
        except AosError as error:
            return await self._try_later(message, error, steps)
        self.head.state = state
        # Steps of earlier deliveries, where this one needed none of them.
        await steps.load()
        self._keep(message, effects, steps)
        return Outcome(message, "applied")

    def _recognise(self, message: Message) -> tuple[Message, Request | None] | None:
        """The message as the agent is to see it, with the request it answers; None for what came too late."""
        if message.source == self._scope.agent:
            if message.type == TIMEOUT_TYPE:
                return self._timeout(message)
            if message.subject and message.subject.startswith(REMINDER_SUBJECT):
                name = message.subject.removeprefix(REMINDER_SUBJECT)
                return (message, None) if self.head.reminders.get(name) == message.first_id else None
        if not message.is_reply:
            return message, None
        pending = self.head.pending.get(message.correlation_id or "")
        if pending is None:
            return None
        return message, Request(message.correlation_id or "", pending["to"], pending["type"], pending["note"])

    def _timeout(self, message: Message) -> tuple[Message, Request] | None:
        request_id = str((message.data or {}).get("request"))
        pending = self.head.pending.get(request_id)
        if pending is None:
            return None
        error = DeadlineExceeded(f"{pending['to']!r} did not answer {pending['type']!r} in time.")
        reply = replace(message, type=ERROR_TYPE, source=pending["to"], data=error.to_json(), correlation_id=request_id)
        return reply, Request(request_id, pending["to"], pending["type"], pending["note"])

    async def _run(self, message: Message, request: Request | None, effects: Effects, steps: StepJournal) -> bytes:
        if message.deadline is not None and message.deadline < self._scope.now:
            raise DeadlineExceeded(
                f"The message's deadline passed at {format_time(message.deadline)}. Send it again with a later one."
            )
        turn = Turn(
            self._scope,
            message,
            from_bytes(self.head.state),
            effects=effects,
            steps=steps,
            rows=Rows(self._rows, self._scope.agent, self.effects.rows, effects.rows),
            request=request,
            first_number=len(self.effects.outgoing),
            pending=self.head.pending | self.effects.asked,
            max_pending=self._policy.max_pending_requests,
            parked=self.head.parked,
            steps_of=self._make_steps,
        )
        limit = asyncio.timeout(min(self._policy.message_timeout, turn.remaining))
        try:
            async with limit:
                await self._behaviour.handle(turn)
        except AosError:
            raise
        except Exception as error:
            if limit.expired():
                raise TurnTimedOut(
                    f"The handler of {message.type!r} did not finish in time. Split the work, or raise "
                    f"`message_timeout` of agent type {self._behaviour.type!r}."
                ) from error
            raise HandlerFailed(f"The handler of {message.type!r} raised {type(error).__name__}: {error}") from error
        return self._encode(turn.state)

    def _encode(self, state: Any) -> bytes:
        try:
            encoded = to_bytes(state)
        except (TypeError, ValueError) as error:
            raise TerminalError(
                f"The state is not JSON: {error}. Keep only JSON values in it.", code="state_not_json"
            ) from error
        if len(encoded) > self._policy.max_state_bytes:
            raise StateTooLarge(
                f"The state has {len(encoded):,} bytes, over the limit of {self._policy.max_state_bytes:,}. Keep large "
                "things in blobs and their names in the state."
            )
        return encoded

    def _keep(self, message: Message, effects: Effects, steps: StepJournal) -> None:
        self.finished_steps |= steps.rows
        self._finish(message)
        self.head.pending |= effects.asked
        for question in effects.resumed:
            del self.head.parked[question]
        for name, reminder in effects.reminders.items():
            if reminder is None:
                self.head.reminders.pop(name, None)
            else:
                self.head.reminders[name] = reminder
        self.effects.absorb(effects)

    def _finish(self, message: Message) -> None:
        request = message.correlation_id
        if message.type == TIMEOUT_TYPE and message.source == self._scope.agent:
            request = str((message.data or {}).get("request"))
        if request is not None:
            self.head.pending.pop(request, None)
        if message.source == self._scope.agent and (message.subject or "").startswith(REMINDER_SUBJECT):
            name = (message.subject or "").removeprefix(REMINDER_SUBJECT)
            self.head.reminders.pop(name, None)

    async def _try_later(self, message: Message, error: AosError, steps: StepJournal) -> Outcome:
        retry = self._policy.retry
        if message.attempt >= retry.max_attempts:
            exhausted = AttemptsExhausted(
                f"Given up after {message.attempt} tries. The last one: {error.message}",
                details={"last_error": error.to_json()},
            )
            exhausted.__cause__ = error
            return await self._give_up(message, exhausted, steps)
        delay = retry.delay(message.attempt, self._ids.random(), at_least=error.retry_after)
        again = to_mailbox(self._scope.inbox, message.next_attempt(), at=self._scope.now + timedelta(seconds=delay))
        self.effects.outgoing.append(again)
        return Outcome(message, "retried", error)

    async def _park(self, message: Message, error: NeedsAnswer, steps: StepJournal) -> Outcome:
        """Set a message aside, its steps with it, until its question is answered."""
        limit = self._policy.max_pending_requests
        if len(self.head.parked) >= limit:
            full = NotAllowedNow(
                f"Agent {self._scope.agent!r} has {limit} messages waiting for answers. Answer some, or raise "
                f"`max_pending_requests` in its policy. The question was: {error.message}"
            )
            return await self._give_up(message, full, steps)
        record = questions.parked_record(message, error, self._scope.questions, self._scope.now)
        self.head.parked[error.question] = record
        told = Effects(facts=[{"kind": questions.PARKED, "message": message.id, **error.to_json()}])
        questions.announce(self._aside(message, told, steps), record, self._scope.questions)
        self.effects.absorb(told)
        return Outcome(message, "parked", error)

    async def _look_at_question(self, check: Message) -> Outcome:
        """Remind people of a question, or deal with one that nobody answered."""
        record = questions.looked_for(check, self.head.parked)
        if record is None:
            return Outcome(check, "ignored")
        question, default = check.data["question"], questions.default_answer(record)
        effects, steps = Effects(), self._make_steps(check)
        turn = self._aside(check, effects, steps, parked=self.head.parked)
        if not check.data["last"]:
            questions.remind(turn, record)
        elif default is not None:
            turn.record("question.expired", question=question, answer=default)
            await turn.resume(question, default)
        else:
            turn.record(questions.CLOSED, question=question)
            await self._give_up_waiting(question, questions.expired(record))
        self._keep(check, effects, steps)
        return Outcome(check, "applied")

    async def _give_up_waiting(self, question: str, error: QuestionExpired) -> None:
        waiting = Message.from_json(self.head.parked.pop(question)["message"])
        # As its next attempt it has the steps that it took before it was set aside.
        await self._give_up(waiting, error, self._make_steps(waiting.next_attempt()))
        self.head.counters["dead"] = self.head.counters.get("dead", 0) + 1

    async def _give_up(self, message: Message, error: AosError, steps: StepJournal) -> Outcome:
        # Its request or reminder stays open, and its steps are kept: the dead letter may be sent again.
        self.effects.dead.append(dead_letter(self._scope.agent, message, error, self._scope.now))
        loose = Effects()
        turn = self._aside(message, loose, steps)
        if isinstance(self._behaviour, Abandoning):
            self.finished_steps |= await self._behaviour.abandon(turn, error)
        if awaits_answer(message):
            turn.reply_error(error)
        self.effects.absorb(loose)
        return Outcome(message, "dead", error)

    def _aside(
        self, message: Message, effects: Effects, steps: StepJournal, *, parked: Mapping[str, Any] | None = None
    ) -> Turn:
        """A turn for what is to be said about a message that is not applied: it has no state."""
        return Turn(
            self._scope,
            message,
            {},
            effects=effects,
            steps=steps,
            rows=Rows(self._rows, self._scope.agent, self.effects.rows, effects.rows),
            request=None,
            first_number=len(self.effects.outgoing),
            pending={},
            max_pending=0,
            parked=parked or {},
            steps_of=self._make_steps,
        )
