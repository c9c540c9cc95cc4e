"""The kernel: wakes an agent for the messages in its mailbox, and sees the turn through.

rehydrate, handle, commit, publish, acknowledge: this file is that line. It returns when the messages may be
acknowledged, and raises an `InfrastructureError` when they must come back.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from aos.kernel import meter
from aos.kernel.address import agent_type, check_address
from aos.kernel.batch import Batch, Outcome
from aos.kernel.behaviour import Behaviour, Catalogue, EntryProjection, Projection
from aos.kernel.commit import Committed, Committer, describe, new_entry
from aos.kernel.deadletter import DeadLetters, dead_letter
from aos.kernel.dedupe import DedupeWindow
from aos.kernel.errors import AosError, Conflict, HandlerFailed, MalformedMessage, NotFound, UnknownAgentType
from aos.kernel.gate import Gate
from aos.kernel.head import Head
from aos.kernel.heads import Heads
from aos.kernel.journal import Journal, JournalEntry
from aos.kernel.mailbox import Mailbox
from aos.kernel.message import Message
from aos.kernel.order import ASIDE, HeldRows
from aos.kernel.outgoing import awaits_answer
from aos.kernel.ports import BlobStore, Clock, Ids, MessageBus, TableStore
from aos.kernel.publish import Publisher
from aos.kernel.rows import StoredRows
from aos.kernel.settings import KernelSettings
from aos.kernel.standing import OPEN, Standing, ordered
from aos.kernel.steps import StepJournal, StepRows
from aos.kernel.strict import StrictOrder
from aos.kernel.trace import TraceContext, start_or_continue
from aos.kernel.turn import TurnScope
from aos.kernel.type_orders import BirthCheck, Decide, TypeOrders

log = logging.getLogger("aos.turn")

_ORDER_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the trigger hands it over.

    Attributes:
        body: Its bytes.
        delivery_count: How often it was delivered, 1 the first time.
        enqueued: When the bus took it (UTC), where the trigger tells.
    """

    body: bytes
    delivery_count: int = 1
    enqueued: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a turn works with: its batch, the gate before it, and the lines of messages that are kept."""

    batch: Batch
    gate: Gate
    lines: tuple[HeldRows, ...]


class Kernel:
    """Runs turns. One instance serves a process; it holds no state that matters beyond a turn.

    Attributes:
        running: The agents that this process is working for, and since when.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        tables: TableStore,
        blobs: BlobStore,
        bus: MessageBus,
        clock: Clock,
        ids: Ids,
        settings: KernelSettings | None = None,
        projections: Sequence[Projection | EntryProjection] = (),
    ) -> None:
        self.settings = settings or KernelSettings()
        self.catalogue = catalogue
        self._tables = tables
        self._blobs = blobs
        self._clock = clock
        self._ids = ids
        self.heads = Heads(tables, blobs, clock, self.settings)
        self.journal = Journal(tables, blobs, self.settings.agents_table)
        self.dead_letters = DeadLetters(tables, blobs, clock, table=self.settings.dead_letters_table)
        self.rows = StoredRows(tables, blobs, self.settings.agents_table)
        self.mailbox = Mailbox(bus, self.settings)
        self._committer = Committer(tables, blobs, clock, self.settings)
        self.type_orders = TypeOrders(tables, self.settings.orders_table)
        self.running: dict[str, datetime] = {}
        check = BirthCheck(self.type_orders, self.order)
        self._publisher = Publisher(bus, self.dead_letters, [*projections, check])

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Take the messages of a mailbox, in order, through one turn (one per agent, should they be for several).

        Returning means that each is applied, put aside for retry, or a dead letter: acknowledge them.

        Raises:
            InfrastructureError: nothing was decided, or not all of it is published; have them delivered again.
        """
        messages: list[tuple[Message, bool]] = []
        for delivery in deliveries:
            try:
                message = Message.decode(delivery.body)
                if not message.to:
                    raise MalformedMessage("The message has no `to`. Name the agent it is for.")
            except MalformedMessage as error:
                await self.dead_letters.add_unreadable(delivery.body, error, at=delivery.enqueued)
            else:
                messages.append((message, delivery.delivery_count > 1))
        for agent, group in groupby(messages, key=lambda item: item[0].to):
            await self._wake(agent, list(group))

    async def recover(self, delivery: Delivery, error: AosError) -> None:
        """Deal with a message the bus gave up delivering: publish what it led to, or make it a dead letter.

        The dead letter is a turn of its agent, so that an instance which still works on the message cannot apply it.

        Raises:
            InfrastructureError: storage or bus are not available, or the agent is busy; have it delivered again.
        """
        try:
            message = Message.decode(delivery.body)
        except MalformedMessage:
            await self.dead_letters.add_unreadable(delivery.body, error, at=delivery.enqueued)
            return
        behaviour = self.catalogue.behaviour(agent_type(message.to))
        if behaviour is None:
            await self._refuse(message, error)
        else:
            await self._turn(behaviour, message.to, [(message, True)], None, repeated=True, given_up=error)

    async def order(self, agent: str, decide: Decide) -> Head:
        """Change how an agent stands with its operator. The order is a turn, and in force once this returns.

        A turn that is under way loses its commit, and its messages come back to find the order.

        Args:
            agent: Its address; it need not have lived.
            decide: What its standing is to become, None to leave it. What it raises, this raises.

        Returns:
            The agent's head, with the standing now in force.

        Raises:
            UnknownAgentType: nobody registered its type.
            Conflict: the agent is so busy that the order found no gap; give it again.
            StoreUnavailable, BusUnavailable: it may not be in force, or not carried out; give it again.
        """
        behaviour = self.catalogue.behaviour(agent_type(check_address(agent)))
        if behaviour is None:
            raise UnknownAgentType(f"No agent type {agent_type(agent)!r} is registered. Check the address.")
        for _ in range(_ORDER_ATTEMPTS - 1):
            with suppress(Conflict):
                return await self._order(behaviour, agent, decide)
        return await self._order(behaviour, agent, decide)

    async def publish_again(self, agent: str, version: int) -> None:
        """Publish a turn once more. Agents take what they had before without effect.

        Raises:
            NotFound: there is no such turn.
            BusUnavailable, StoreUnavailable: not all of it is out.
        """
        head = await self.heads.read(agent)
        if head is None:
            raise NotFound(f"There is no agent {agent!r}.")
        await self._publisher.publish(await self.journal.entry(agent, version), head)

    async def resubmit(self, dead_letter_id: str) -> Message:
        """Put the message of a dead letter into its mailbox again. Interrupted and repeated, it is taken once.

        Raises:
            NotFound, NotAllowedNow: there is no such dead letter, or it cannot be sent again.
        """
        message = await self.dead_letters.message(dead_letter_id)
        await self.mailbox.post(message)
        await self.dead_letters.close(dead_letter_id)
        return message

    async def _wake(self, agent: str, arrived: list[tuple[Message, bool]]) -> None:
        behaviour = self.catalogue.behaviour(agent_type(agent))
        if behaviour is None:
            error = UnknownAgentType(
                f"No agent type {agent_type(agent)!r} is registered. Check the address, or register the type."
            )
            for message, _ in arrived:
                await self._refuse(message, error)
            return
        returning = any(returned for _, returned in arrived)
        remembered = None if returning else self.heads.remembered(agent)
        self.running[agent] = self._clock.now()
        try:
            await self._turn(behaviour, agent, arrived, remembered, repeated=False)
        except Conflict:
            self.heads.forget(agent)
            if remembered is None:
                raise
            # The mailbox was elsewhere since this instance last had it: read the head and take the turn anew.
            await self._turn(behaviour, agent, arrived, None, repeated=True)
        finally:
            self.running.pop(agent, None)

    async def _turn(
        self,
        behaviour: Behaviour,
        agent: str,
        arrived: list[tuple[Message, bool]],
        head: Head | None,
        *,
        repeated: bool,
        given_up: AosError | None = None,
    ) -> None:
        started = self._clock.monotonic()
        with meter.metered() as usage:
            rehydrated = head is None
            head = head or await self._rehydrate(behaviour, agent)
            fresh = await self._sort_out(head, arrived)
            if not fresh:
                return
            trace = start_or_continue(fresh[0][0].traceparent, self._ids)
            returned = {message.dedupe_key for message, was_returned in fresh if was_returned or repeated}
            desk = self._open(behaviour, head, trace, started, returned, remembered=not rehydrated)
            batch = desk.batch
            left = await _handle(desk, fresh, given_up)
            if all(outcome.kind == "ignored" for outcome in batch.outcomes):
                if not rehydrated:
                    raise Conflict(f"What is remembered of {agent!r} does not explain the message; read its head.")
                return
            born_under = batch.head.standing if batch.head.version == 1 else OPEN
            await self._conclude(desk, OPEN, born_under, trace, started, usage)
        if left:
            remembered = self.heads.remembered(agent)
            await self._turn(behaviour, agent, left, remembered, repeated=repeated, given_up=given_up)

    async def _order(self, behaviour: Behaviour, agent: str, decide: Decide) -> Head:
        started = self._clock.monotonic()
        with meter.metered() as usage:
            head = await self._rehydrate(behaviour, agent)
            standing = decide(head)
            if standing is None:
                return head
            trace = start_or_continue(None, self._ids)
            desk = self._open(behaviour, head, trace, started, set(), remembered=False)
            await desk.gate.obey(standing)
            await self._conclude(desk, head.standing, standing, trace, started, usage)
        return desk.batch.head

    async def _conclude(
        self, desk: _Desk, before: Standing, after: Standing, trace: TraceContext, started: float, usage: meter.Usage
    ) -> None:
        """Commit and publish a turn, which is an order where it takes the agent from one standing to another."""
        batch = desk.batch
        entry = new_entry(batch.head.agent, batch.head.version, self._ids.new(), trace.trace_id, self._clock)
        describe(batch, entry, self.settings)
        if after is not before:
            entry.order = ordered(before, after)
        entry.duration_ms = round((self._clock.monotonic() - started) * 1000, 3)
        entry.usage["storage_operations"] = usage.storage_operations + 1
        committed = await self._committer.commit(batch, entry, *desk.lines)
        await self._publish(committed, batch.head)
        _report(entry, batch.outcomes, usage)

    def _open(
        self,
        behaviour: Behaviour,
        head: Head,
        trace: TraceContext,
        started: float,
        returned: set[str],
        *,
        remembered: bool,
    ) -> _Desk:
        """All that a turn of the agent works with."""
        scope = TurnScope(
            agent=head.agent,
            version=head.version + 1,
            now=self._clock.now(),
            ends=started + self.settings.turn_seconds,
            inbox=self.settings.inbox,
            events=self.settings.events,
            trace=trace,
            clock=self._clock,
            blobs=self._blobs,
            questions=self.settings.questions,
        )
        rows = StepRows(self._tables, self.settings.agents_table, head, remembered=remembered)
        batch = Batch(
            behaviour,
            head,
            scope,
            self._ids,
            lambda m: self._steps(m, rows, m.dedupe_key in returned),
            self.rows,
        )
        table = self.settings.agents_table
        held = HeldRows(self._tables, self._blobs, table, head.agent)
        aside = HeldRows(self._tables, self._blobs, table, head.agent, prefix=ASIDE)
        line = StrictOrder(batch, held, scope) if behaviour.policy.strict_order else batch
        return _Desk(batch, Gate(line, batch, aside, held, scope, returned), (held, aside))

    async def _publish(self, committed: Committed, head: Head) -> None:
        if committed.head is None:
            self.heads.forget(head.agent)
        else:
            self.heads.remember(committed.head)
        await self._publisher.publish(committed.entry, head)

    async def _rehydrate(self, behaviour: Behaviour, agent: str) -> Head:
        window = behaviour.policy.dedupe_window
        head = await self.heads.read(agent, window=window)
        if head is not None:
            return head
        state = json.dumps(behaviour.initial_state()).encode()
        standing = await self.type_orders.get(behaviour.type)
        return Head(agent, DedupeWindow(window), state=state, standing=standing if standing.state != "open" else OPEN)

    async def _sort_out(self, head: Head, arrived: list[tuple[Message, bool]]) -> list[tuple[Message, bool]]:
        """The messages that are new. What the others led to is published again: that may be why they came back."""
        fresh: list[tuple[Message, bool]] = []
        again: set[int] = set()
        seen: set[str] = set()
        for message, returned in arrived:
            version = head.recent.version_of(message.dedupe_key)
            if version is not None:
                again.add(version)
            elif message.dedupe_key not in seen:
                seen.add(message.dedupe_key)
                fresh.append((message, returned))
        for version in sorted(again):
            await self._publisher.publish(await self.journal.entry(head.agent, version), head)
        return fresh

    def _steps(self, message: Message, rows: StepRows, returning: bool) -> StepJournal:
        return StepJournal(
            self._tables,
            self._blobs,
            self.settings.agents_table,
            message.to,
            message,
            rows,
            returning=returning or message.attempt > 1 or message.first_id != message.id,
        )

    async def _refuse(self, message: Message, error: AosError) -> None:
        """Give up a message without a turn: nobody is there to take it."""
        record = dead_letter(message.to, message, error, self._clock.now())
        await self.dead_letters.add(record)
        if awaits_answer(message):
            await self.mailbox.reply_error(message, error, self._clock.now())


async def _handle(
    desk: _Desk, arrived: list[tuple[Message, bool]], given_up: AosError | None
) -> list[tuple[Message, bool]]:
    """Take messages into a turn; returns those that its transaction might have no room for."""
    for position, (message, _) in enumerate(arrived):
        if position and desk.batch.is_full(desk.gate.operations):
            return arrived[position:]
        await (desk.gate.handle(message) if given_up is None else desk.gate.give_up(message, given_up))
    return []


def _report(entry: JournalEntry, outcomes: Sequence[Outcome], usage: meter.Usage) -> None:
    if not log.isEnabledFor(logging.INFO) and all(outcome.error is None for outcome in outcomes):
        return
    facts = {
        "agent": entry.agent,
        "version": entry.version,
        "trace_id": entry.trace,
        "duration_ms": entry.duration_ms,
        "received": [f"{outcome.message.type} {outcome.kind}" for outcome in outcomes],
        "sent": len(entry.sent),
        "usage": usage.to_json(),
    }
    for outcome in outcomes:
        if outcome.error is not None:
            log.warning(
                "message %s",
                outcome.kind,
                extra={**facts, "message_id": outcome.message.id, "error": outcome.error.to_json()},
                exc_info=outcome.error if isinstance(outcome.error, HandlerFailed) else None,
            )
    log.info("turn", extra=facts)
