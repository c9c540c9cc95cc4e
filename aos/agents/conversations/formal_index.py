"""Which formal conversations somebody takes part in: a read model, by participant and by role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.agents.conversations.formal import FormalConversation
from aos.agents.conversations.formal_agent import TYPE
from aos.agents.conversations.formal_types import ConversationRole, ConversationStatus
from aos.kernel.address import agent_type
from aos.kernel.journal import JournalEntry
from aos.kernel.ports import Entity, TableStore, Upsert

TABLE = "conversationindex"
_SIGNABLE = (ConversationStatus.ACTIVE, ConversationStatus.PENDING_SIGNATURE)


class FormalIndex:
    """Knows the formal conversations of each participant and each role, in the order of their ids."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def concerns(self, agent: str, version: int) -> bool:  # noqa: ARG002  # the port's signature
        return agent_type(agent) == TYPE

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:
        stored = state.get("conversation")
        if stored is None:
            return
        conversation = FormalConversation.model_validate(stored)
        for partition, is_signer in _partitions(conversation).items():
            values: dict[str, str | bool] = {
                "title": conversation.title,
                "type": conversation.type.value,
                "status": conversation.status.value,
                "priority": conversation.priority.value,
                "champion": conversation.champion or "",
                "to_sign": is_signer and conversation.status in _SIGNABLE,
            }
            await self._tables.commit(TABLE, [Upsert(Entity(partition, entry.agent, values))])

    async def page(
        self,
        *,
        participant: str | None = None,
        role: ConversationRole | None = None,
        status: ConversationStatus | None = None,
        to_sign: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Conversations, and a cursor where there are more.

        Args:
            participant: An agent that takes part; or else `role`.
            role: In which somebody takes part.
            status: Only those that are so far.
            to_sign: Only those that wait for a signature, of the participant or of somebody in the role.
            limit: At most so many.
            cursor: Where the page before said to go on.
        """
        where: dict[str, str | int | bool] = {"status": status.value} if status else {}
        if to_sign:
            where["to_sign"] = True
        partition = f"who:{participant}" if participant is not None else f"role:{role.value if role else 'agent'}"
        page = await self._tables.scan(TABLE, partition, where=where, limit=limit, cursor=cursor)
        return [{"conversation": entity.row, **entity.values} for entity in page.entities], page.cursor


def _partitions(conversation: FormalConversation) -> dict[str, bool]:
    """Where it is listed, and whether a signature of somebody there is missing."""
    found: dict[str, bool] = {}
    pending = conversation.pending_signers
    for who, role in conversation.participants.items():
        found[f"who:{who}"] = who in pending
        found[f"role:{role.value}"] = found.get(f"role:{role.value}", False) or who in pending
    return found
