"""What can be asked about agents from outside: which there are, how each is, what it did, and to send it something."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aos.agents.agent import Agent
from aos.agents.agent_index import AgentIndex
from aos.agents.answers import answer_of
from aos.agents.context_server import CONTEXT, ContextMCPServer
from aos.agents.conversations.history import ConversationHistory
from aos.agents.life import since_of, state_of, waiting_in
from aos.agents.questions import open_questions
from aos.agents.registry import AgentRegistry
from aos.agents.stored_state import own_part
from aos.kernel.address import agent_type, check_address
from aos.kernel.errors import NotFound, UnknownAgentType
from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry, Verification
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.reliability.waiting import look_until


class Directory:
    """The agents of the system."""

    def __init__(self, kernel: Kernel, registry: AgentRegistry, index: AgentIndex, clock: Clock, ids: Ids) -> None:
        self._kernel = kernel
        self._registry = registry
        self._index = index
        self._clock = clock
        self._ids = ids

    async def page(
        self,
        *,
        type: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Agents, and a cursor where there are more.

        The first page starts with the registered single agents, whether or not they have lived; agents of types
        of many follow as they were born.
        """
        shown: list[dict[str, Any]] = []
        if cursor is None:
            singles = [agent for agent in self._registry if agent.listed and type in (None, agent.type)]
            shown = [await self.status(agent.type) for agent in singles]
        addresses, following = await self._index.page(type=type, limit=limit, cursor=cursor)
        listed = {agent.type for agent in self._registry if agent.listed}
        shown += [await self.status(address) for address in addresses if address not in listed]
        return shown, following

    async def all(self) -> list[dict[str, Any]]:
        """All agents."""
        agents, cursor = await self.page(limit=1_000)
        while cursor is not None:
            more, cursor = await self.page(limit=1_000, cursor=cursor)
            agents += more
        return agents

    async def status(self, address: str) -> dict[str, Any]:
        """One agent: who it is, and how its life has gone so far.

        Raises:
            NotFound: the type is not registered and no such agent has lived, or an agent of a type of many has not.
        """
        check_address(address)
        behaviour = self._registry.behaviour(agent_type(address))
        head = await self._kernel.heads.read(address)
        if head is None and (behaviour is None or not behaviour.listed or ":" in address):
            raise NotFound(f"There is no agent {address!r}. List the agents to see which there are.")
        return {**_described(address, behaviour), **_lived(head, running=address in self._kernel.running)}

    async def detail(self, address: str) -> dict[str, Any]:
        """One agent with its state and the questions that wait for a person. Raises `NotFound`."""
        status = await self.status(address)
        head = await self._kernel.heads.read(address)
        if head is None:
            return {**status, "questions": [], "state": None}
        return {**status, "questions": open_questions(head), "state": own_part(json.loads(head.state))}

    async def context(self, address: str) -> ContextMCPServer:
        """One agent's context, for reading. Raises `NotFound`."""
        await self.status(address)
        head = await self._kernel.heads.read(address)
        return ContextMCPServer(address, json.loads(head.state).get(CONTEXT) if head else None)

    async def conversations(self, address: str) -> ConversationHistory:
        """What was said to one agent and by it, for reading. Raises `NotFound`."""
        await self.status(address)
        return ConversationHistory(self._kernel.heads, self._kernel.rows, address)

    async def journal(self, address: str, *, after: int = 0, limit: int = 50) -> list[JournalEntry]:
        """Entries above version `after`, oldest first. Raises `NotFound`."""
        await self.status(address)
        return await self._kernel.journal.entries(address, after=after, limit=limit)

    async def send(
        self,
        address: str,
        message_type: str,
        data: Any,
        *,
        source: str = "/api/agents",
        message_id: str | None = None,
        traceparent: str | None = None,
        **fields: Any,
    ) -> str:
        """Put a message into an agent's mailbox.

        Args:
            address: For whom.
            message_type: What it means.
            data: Its JSON payload.
            source: Who sends it.
            message_id: The same id from the same source has its effect once.
            traceparent: W3C trace context.
            **fields: Further fields of `Message`.

        Returns:
            The message's id.

        Raises:
            UnknownAgentType: nobody registered the agent's type.
            InvalidInput: `address` is not one.
        """
        self.expect(address)
        message = Message(
            id=message_id or self._ids.new(),
            source=source,
            type=message_type,
            time=self._clock.now(),
            to=address,
            data=data,
            traceparent=traceparent,
            **fields,
        )
        await self._kernel.mailbox.post(message)
        return message.id

    async def outcome(self, address: str, message_id: str, *, source: str = "/api/agents") -> dict[str, Any] | None:
        """What became of a message.

        Returns:
            `outcome` (`applied`, `retried`, `dead`, `ignored`, `held` or `aside`), `version` (the turn that dealt with
            it) and, where it failed, `error`; where it was sent with `reply_to="journal:"` also its `answer`, or
            `answer_pending`. None if the agent has not dealt with it, or so long ago that it forgot.
        """
        head = await self._kernel.heads.read(address)
        message = Message(id=message_id, source=source, type="", time=self._clock.now(), to=address)
        found: int | None = None
        while head is not None and (version := head.recent.version_of(message.dedupe_key)) is not None:
            found, message = version, message.next_attempt()
        if found is None:
            return None
        entry = await self._kernel.journal.entry(address, found)
        records = [r for r in entry.received if (r["message"]["id"], r["message"]["source"]) == (message_id, source)]
        error = {"error": records[-1]["error"]} if "error" in records[-1] else {}
        answer = await answer_of(self._kernel.journal, entry, message_id)
        return {"outcome": records[-1]["outcome"], "version": found, **answer, **error}

    async def await_outcome(
        self, address: str, message_id: str, *, seconds: float, source: str = "/api/agents"
    ) -> dict[str, Any]:
        """As `outcome`, once the agent has dealt with the message and answered it, or as it is when the time is up.

        `outcome` is then `pending`, `retried`, `held` or `aside`, or `answer_pending` is true.
        """
        return await look_until(is_settled, lambda: self._outcome_so_far(address, message_id, source), seconds=seconds)

    async def _outcome_so_far(self, address: str, message_id: str, source: str) -> dict[str, Any]:
        return await self.outcome(address, message_id, source=source) or {"outcome": "pending"}

    def expect(self, address: str) -> Agent[Any]:
        """The behaviour at this address. Raises `UnknownAgentType` (or `InvalidInput`) where nobody takes messages."""
        check_address(address)
        behaviour = self._registry.behaviour(agent_type(address))
        if behaviour is None:
            known = ", ".join(sorted(agent.type for agent in self._registry)) or "none"
            raise UnknownAgentType(f"No agent type {agent_type(address)!r} is registered. There are: {known}.")
        return behaviour

    async def verify(self, address: str) -> Verification:
        """Recompute the hash chain of one agent's journal."""
        return await self._kernel.journal.verify(address, await self._kernel.heads.read(address))

    async def addresses(self) -> AsyncIterator[str]:
        """Every agent that has lived."""
        cursor: str | None = None
        while True:
            addresses, cursor = await self._index.page(limit=1_000, cursor=cursor)
            for address in addresses:
                yield address
            if cursor is None:
                return


def is_settled(outcome: Mapping[str, Any]) -> bool:
    """Whether nothing more will become of a message."""
    return outcome["outcome"] in ("applied", "dead", "ignored") and "answer_pending" not in outcome


def _described(address: str, behaviour: Agent[Any] | None) -> dict[str, Any]:
    if behaviour is None:
        return {"id": address, "type": agent_type(address), "name": address, "registered": False}
    return {
        "id": address,
        "type": behaviour.type,
        "name": behaviour.name or behaviour.type,
        "purpose": behaviour.purpose,
        "capabilities": list(behaviour.capabilities),
        "permissions": list(behaviour.permissions),
        "messages": behaviour.message_types,
        "registered": True,
    }


def _lived(head: Head | None, *, running: bool) -> dict[str, Any]:
    lived = {"status": state_of(head, running=running), "since": since_of(head)}
    if head is None:
        return {**lived, "version": 0, "wakes": 0, "created_at": None, "last_active": None, "counters": {}}
    return {
        **lived,
        "reason": head.standing.reason,
        "ordered_by": head.standing.by,
        "version": head.version,
        "wakes": head.version - head.vitals.orders,
        "created_at": head.created,
        "last_active": head.updated,
        "counters": dict(head.counters),
        "pending_requests": len(head.pending),
        "reminders": len(head.reminders),
        "questions": len(head.parked),
        "waiting": waiting_in(head),
    }
