"""Takes messages in strict order: what comes while one is put aside for retry waits until that one is done."""

from __future__ import annotations

from aos.kernel.batch import Batch, Outcome
from aos.kernel.errors import AosError
from aos.kernel.message import Message
from aos.kernel.order import HeldRows
from aos.kernel.outgoing import to_mailbox
from aos.kernel.turn import RESUME_TYPE, TurnScope


class StrictOrder:
    """A batch whose messages are handled one after the other, never past one that is to be retried."""

    def __init__(self, batch: Batch, held: HeldRows, scope: TurnScope) -> None:
        self._batch = batch
        self._held = held
        self._scope = scope

    async def handle(self, message: Message) -> None:
        waiting = self._batch.head.waiting
        if waiting.behind is not None and waiting.behind != _identity(message):
            await self._held.hold(waiting, message)
            self._batch.settle(Outcome(message, "held"))
            return
        was_waited_for = waiting.behind is not None
        if await self._passes(message) and was_waited_for:
            waiting.behind = None
            await self._drain()

    async def give_up(self, message: Message, error: AosError) -> None:
        """As `Batch.give_up`; those that wait for the message need not wait any more."""
        if self._resumes(message):
            self._batch.settle(Outcome(message, "applied"))
        else:
            await self._batch.give_up(message, error)
        waiting = self._batch.head.waiting
        if waiting.behind == _identity(message):
            waiting.behind = None
            self._resume_later()

    async def _passes(self, message: Message) -> bool:
        """Handle a message; False if the others have to wait for it."""
        if self._resumes(message):
            self._batch.settle(Outcome(message, "applied"))
            return True
        outcome = await self._batch.handle(message)
        if outcome.kind == "retried":
            self._batch.head.waiting.behind = _identity(message)
            return False
        return True

    async def _drain(self) -> None:
        waiting = self._batch.head.waiting
        for message in await self._held.oldest(waiting):
            if self._batch.is_full(len(self._held.operations())):
                break
            self._held.release(waiting)
            if not await self._passes(message):
                return
        self._resume_later()

    def _resumes(self, message: Message) -> bool:
        return message.type == RESUME_TYPE and message.source == self._scope.agent

    def _resume_later(self) -> None:
        """Have a message of the agent to itself take up those that still wait."""
        waiting = self._batch.head.waiting
        if waiting.count:
            resume = Message(
                id=f"{self._scope.agent}:{self._scope.version}:{len(self._batch.effects.outgoing)}",
                source=self._scope.agent,
                type=RESUME_TYPE,
                time=self._scope.now,
                to=self._scope.agent,
            )
            self._batch.effects.outgoing.append(to_mailbox(self._scope.inbox, resume))
            waiting.behind = _identity(resume)


def _identity(message: Message) -> str:
    """The message whatever its attempt."""
    return f"{message.source}\n{message.id}"
