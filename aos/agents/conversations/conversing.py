"""What makes an agent remember conversations: it gives them to handlers, and tidies them up between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.agents.conversations.conversation import Conversation
from aos.agents.conversations.limits import ConversationLimits
from aos.agents.conversations.retention import expire
from aos.agents.conversations.shelf import EXPIRE, SUMMARISE, Shelf
from aos.agents.conversations.summarising import STEP, summarise
from aos.agents.turn import Turn
from aos.kernel.errors import InvalidInput, PermissionDenied

if TYPE_CHECKING:
    from aos.llm.request import ModelRequest

MAIN = "main"
"""The conversation of messages that name none."""
_MAX_ID = 256


class Conversing:
    """The part of an agent that has to do with conversations.

    Attributes:
        conversation_limits: How much of them is at hand, and how long they are kept.
    """

    conversation_limits: ConversationLimits = ConversationLimits()

    async def conversation(self, turn: Turn, id: str | None = None) -> Conversation:
        """A conversation of the agent whose turn it is; by default the one that the message belongs to.

        No storage operation where it is among those used last, one otherwise.

        Raises:
            InvalidInput: the id is empty or longer than 256 characters.
        """
        name = id if id is not None else turn.message.conversation_id or MAIN
        if not 0 < len(name) <= _MAX_ID:
            raise InvalidInput(f"The id of a conversation has 1 to {_MAX_ID} characters, not {len(name)}.")
        shelf = Shelf(turn, self.conversation_limits)
        return Conversation(turn, await shelf.take(name), shelf)

    async def take_conversation_message(self, turn: Turn) -> bool:
        """Summarise or delete, where the message says so; False if it is another kind of message."""
        if turn.message.type not in (SUMMARISE, EXPIRE):
            return False
        if turn.message.source != turn.agent:
            raise PermissionDenied(f"{turn.message.type!r} is what {turn.agent!r} tells itself. Nobody else needs to.")
        shelf = Shelf(turn, self.conversation_limits)
        if turn.message.type == EXPIRE:
            await expire(turn, shelf)
            return True

        async def think(request: ModelRequest) -> str:
            return await self.think_of_summary(turn, request)

        data: Any = turn.message.data
        await summarise(turn, data["conversation"], shelf, think if turn.can_think else None)
        return True

    async def think_of_summary(self, turn: Turn, request: ModelRequest) -> str:
        """Ask a model for a summary. Override it to ask another; without an answer sentences are taken."""
        from aos.llm.route import Route

        route = Route(seconds=self.conversation_limits.summary_seconds)
        response = await turn.think(request, name=STEP, route=route)
        return "" if response.degraded else response.text
