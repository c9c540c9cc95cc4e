"""Stands before an agent's handlers: sees that its operator's order is kept, and that nothing is lost by it.

Mail for an agent that may not work is put aside as rows `p:<number>`, in the commit that settles it. Once the agent
may work again a message of its own takes them up, oldest first and some in each turn; what comes meanwhile goes behind.
"""

from __future__ import annotations

from typing import Protocol

from aos.kernel.batch import Batch, Outcome
from aos.kernel.errors import AosError, NotAllowedNow
from aos.kernel.message import Message
from aos.kernel.order import HeldRows
from aos.kernel.outgoing import to_mailbox
from aos.kernel.standing import Standing
from aos.kernel.turn import RESUME_TYPE, TAKE_UP_TYPE, TurnScope


class Line(Protocol):
    """Takes messages one after the other: a batch, or one in strict order."""

    async def handle(self, message: Message) -> object: ...

    async def give_up(self, message: Message, error: AosError) -> object: ...


class Gate:
    """Lets a message through to the handlers, puts it aside, or gives it up.

    Args:
        line: Where messages go that may be handled.
        batch: The turn.
        aside: The rows of mail that was put aside.
        held: The rows that strict order holds back.
        scope: Of the turn.
        returned: Keys of messages that may have been begun before; those taken up are added, for they may have, too.
    """

    def __init__(
        self, line: Line, batch: Batch, aside: HeldRows, held: HeldRows, scope: TurnScope, returned: set[str]
    ) -> None:
        self._line = line
        self._batch = batch
        self._aside = aside
        self._held = held
        self._scope = scope
        self._returned = returned

    @property
    def operations(self) -> int:
        """How many operations of the transaction the messages put aside and held back take."""
        return len(self._aside.operations()) + len(self._held.operations())

    async def handle(self, message: Message) -> None:
        head = self._batch.head
        if self._is_own(message, TAKE_UP_TYPE):
            await self._take_up(message)
        elif head.standing.state == "terminated":
            await self._refuse(message)
        elif not head.standing.admits(message, head.agent) or (head.standing.state == "open" and head.aside.count):
            await self._aside.hold(head.aside, message)
            self._batch.settle(Outcome(message, "aside"))
        else:
            await self._line.handle(message)

    async def give_up(self, message: Message, error: AosError) -> None:
        """Make a message a dead letter that the bus would not deliver any more; own take-ups are sent again."""
        if self._is_own(message, TAKE_UP_TYPE):
            self._follow_up_on(message)
        else:
            await self._line.give_up(message, error)

    async def obey(self, standing: Standing) -> None:
        """Put an order into force."""
        head = self._batch.head
        head.standing = standing
        head.vitals.orders += 1
        head.aside.behind = None
        if standing.state == "terminated":
            head.reminders.clear()
            head.waiting.behind = None
            for parked in list(head.parked.values()):
                await self._batch.give_up(Message.from_json(parked["message"]), self._terminated())
            head.parked.clear()
        if standing.state in ("open", "terminated"):
            self._follow_up()

    async def _take_up(self, message: Message) -> None:
        """Deal with the oldest of what was put aside; for one that is terminated, with what order held back, too."""
        head = self._batch.head
        if not self._follow_up_on(message, begin=True):
            return
        terminated = head.standing.state == "terminated"
        rows, waiting = (self._aside, head.aside)
        if terminated and not head.aside.count:
            rows, waiting = self._held, head.waiting
        for number, taken in enumerate(await rows.oldest(waiting)):
            if self._batch.is_full(self.operations) or (number and self._batch.is_late):
                break
            rows.release(waiting)
            self._returned.add(taken.dedupe_key)
            if terminated:
                await self._batch.give_up(taken, self._terminated())
            else:
                await self._line.handle(taken)
        self._follow_up()

    def _follow_up_on(self, message: Message, *, begin: bool = False) -> bool:
        """Settle a take-up; False if it is one that a later order has replaced."""
        aside = self._batch.head.aside
        if aside.behind != message.id:
            self._batch.settle(Outcome(message, "ignored"))
            return False
        self._batch.settle(Outcome(message, "applied"))
        aside.behind = None
        if not begin:
            self._follow_up()
        return True

    def _follow_up(self) -> None:
        """Have a message of the agent to itself go on with what is left."""
        head = self._batch.head
        left = head.aside.count + (head.waiting.count if head.standing.state == "terminated" else 0)
        if not left:
            return
        number = len(self._batch.effects.outgoing)
        again = Message(
            id=f"{head.agent}:{self._scope.version}:{number}",
            source=head.agent,
            type=TAKE_UP_TYPE,
            time=self._scope.now,
            to=head.agent,
            traceparent=self._scope.trace.traceparent,
        )
        self._batch.effects.outgoing.append(to_mailbox(self._scope.inbox, again))
        head.aside.behind = again.id

    async def _refuse(self, message: Message) -> None:
        if self._is_own(message, RESUME_TYPE) or self._batch.is_too_late(message):
            self._batch.settle(Outcome(message, "ignored"))
        else:
            await self._batch.give_up(message, self._terminated())

    def _terminated(self) -> NotAllowedNow:
        standing = self._batch.head.standing
        return NotAllowedNow(
            f"Agent {self._scope.agent!r} was terminated by {standing.by} at {standing.since}: {standing.reason} "
            "Register it again to have it work, then send the message again.",
            code="agent_terminated",
        )

    def _is_own(self, message: Message, type_: str) -> bool:
        return message.type == type_ and message.source == self._scope.agent
