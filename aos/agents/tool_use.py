"""What makes an agent a user of tools: its grants, and the messages by which calls are answered and taken back."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aos.agents.surroundings import Surroundings
from aos.kernel.errors import AosError, InvalidInput, PermissionDenied
from aos.kernel.turn import Turn
from aos.tools.declaration import Tool
from aos.tools.guardrail import Guardrail
from aos.tools.reservations import OpenCall, open_calls, reversible_rows, undo_all
from aos.tools.tool_source import Further
from aos.tools.toolbox import Toolbox

CONFIRM_TYPE = "tool.confirm"
COMPENSATE_TYPE = "tool.compensate"
PEOPLE = "/api/agents"
"""The source of what is sent through the API and the command line."""


class Answer(BaseModel):
    """A person's answer to a question about a tool.

    Attributes:
        question: Id of the question.
        executed: Where its outcome was unknown: whether the call was executed.
        result: What it brought, if anything.
        approved: Where approval was needed: whether the call is allowed.
        by: Who says so.
        comment: Why.
    """

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1)
    executed: bool | None = None
    result: Any = None
    approved: bool | None = None
    by: str | None = None
    comment: str | None = None


class ToolUse:
    """The part of an agent that has to do with tools.

    Attributes:
        tools: Those it is granted: tools, or names of registered ones.
        mcp: Tools of MCP servers it is granted, by pattern: `files.*`, `search.find`.
        permissions: What it is allowed to. A tool that requires more is neither offered to a model nor called.
        guardrail: What holds once content from outside has entered a turn.
    """

    tools: tuple[Tool | str, ...] = ()
    mcp: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    guardrail: Guardrail = Guardrail()
    surroundings: Surroundings

    def toolbox(self, turn: Turn) -> Toolbox:
        """The granted tools, for this turn: `await self.toolbox(turn).call("name", argument=1)`.

        Raises:
            NotFound: a grant names a tool that nobody registered.
        """
        registry = self.surroundings.tools
        further = Further(self.surroundings.servers, self.mcp)
        granted, permissions = registry.granted(self.tools), frozenset(self.permissions)
        return Toolbox(turn, granted, registry, self.guardrail, permissions, further)

    @property
    def _has_tools(self) -> bool:
        return bool(self.tools or self.mcp)

    async def take_tool_message(self, turn: Turn) -> bool:
        """Deal with a message about an earlier call; False if it is another kind of message."""
        if not self._has_tools or turn.request is not None or turn.message.topic is not None:
            return False
        if turn.message.type == CONFIRM_TYPE:
            await _confirm(turn)
        elif turn.message.type == COMPENSATE_TYPE:
            await self._take_back(turn)
        else:
            return False
        return True

    async def abandon(self, turn: Turn, error: AosError) -> set[str]:
        """See that the reversible calls of a message that is given up are taken back, the latest first."""
        if not self._has_tools:
            return set()
        calls = await open_calls(turn)
        reversible = [call.to_json() for call in calls if call.reversible]
        if reversible:
            turn.send(turn.agent, COMPENSATE_TYPE, {"because": error.to_json(), "calls": reversible})
        for call in calls:
            if not call.reversible and not call.known:
                turn.record("tool.outcome_unknown", tool=call.reservation["tool"], key=call.reservation["key"])
        return await reversible_rows(turn)

    async def _take_back(self, turn: Turn) -> None:
        if turn.message.source != turn.agent:
            raise PermissionDenied(f"Only {turn.agent!r} itself has its calls taken back, not {turn.message.source!r}.")
        calls = [OpenCall(**call) for call in turn.message.data["calls"]]
        await undo_all(turn, calls, self.surroundings.tools.granted(self.tools))


async def _confirm(turn: Turn) -> None:
    """A person answers a question. An agent may not: whoever wrote what it read would answer through it."""
    message = turn.message
    if message.source != PEOPLE or message.labels:
        raise PermissionDenied(f"Questions about tools are answered by people, not by {message.source!r}.")
    try:
        answer = Answer.model_validate(message.data)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise InvalidInput(f"An answer needs `question`, and `executed` or `approved`: {problem}.") from error
    asks = turn.question(answer.question)["question"]["details"].get("asks")
    if asks is None or getattr(answer, asks) is None:
        raise InvalidInput(f"Question {answer.question!r} wants {asks or 'another kind of answer'}: true or false.")
    await turn.resume(answer.question, answer.model_dump(mode="json"))
    turn.record("tool.answer", **answer.model_dump(mode="json", exclude={"result"}))
