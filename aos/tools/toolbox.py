"""The tools an agent was granted, in one of its turns: what its code, or a model on its behalf, calls them through."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from aos.kernel.errors import InvalidInput, NeedsAnswer, NotAllowedNow, NotFound
from aos.kernel.turn import Turn
from aos.tools.attempt import Attempt
from aos.tools.calls import Call, Record, digest, outcome_error
from aos.tools.declaration import Tool
from aos.tools.errors import ApprovalNeeded, ToolDenied, ToolNotGranted, ToolNotPermitted
from aos.tools.guardrail import Guardrail, Judgement
from aos.tools.registry import ToolRegistry
from aos.tools.reservations import open_calls, undo_all
from aos.tools.tool_source import Further


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of a call, for whoever asked for it to go on from.

    Attributes:
        ok: Whether it was done.
        result: What it brought.
        error: `code`, `message` and `details` of what went wrong.
    """

    ok: bool
    result: Any = None
    error: Mapping[str, Any] | None = None


class Toolbox:
    """The granted tools in one turn.

    Args:
        turn: The turn.
        tools: The allow-list, by name.
        registry: Where calls are counted, and what they are made with.
        guardrail: What holds once content from outside has entered the turn.
        permissions: What the agent is allowed to; a tool that requires more is not offered and not called.
        further: Granted tools that are found when they are needed: those of other servers.
    """

    def __init__(
        self,
        turn: Turn,
        tools: Mapping[str, Tool],
        registry: ToolRegistry,
        guardrail: Guardrail,
        permissions: Collection[str] = (),
        further: Further | None = None,
    ) -> None:
        self._turn = turn
        self._tools = tools
        self._registry = registry
        self._guardrail = guardrail
        self._permissions = permissions
        self._further = further or Further()
        self._bench = registry.bench

    @property
    def tools(self) -> list[Tool]:
        """The tools this agent was granted and has the permissions for."""
        return [tool for tool in self._tools.values() if not tool.missing(self._permissions)]

    async def offered(self) -> list[Tool]:
        """As `tools`, with the granted tools of other servers. Raises `AosError` where these cannot be found out."""
        return [*self.tools, *(tool for tool in await self._further.all() if not tool.missing(self._permissions))]

    def with_also(self, *tools: Tool) -> Toolbox:
        """A toolbox with further tools, except those whose names are taken."""
        merged = {**{tool.name: tool for tool in tools}, **self._tools}
        return Toolbox(self._turn, merged, self._registry, self._guardrail, self._permissions, self._further)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool; its result as JSON. On a message that comes back, what it brought before.

        Args:
            name: Of the tool.
            **arguments: What it takes.

        Raises:
            ToolNotGranted: the agent was not given it.
            ToolNotPermitted: the agent lacks a permission that it requires.
            InvalidInput: an argument is wrong.
            ToolDenied: the guardrail or a person said no.
            ApprovalNeeded, OutcomeUnknown: the message is set aside until a person has answered.
            ToolRefused: the tool will not do it.
            CallDiverged: another call was made in its place before.
            ToolFailed: it could not be done; the message is tried again, and so is the call.
        """
        record = await self._take(name, arguments, self._turn.labels, last=False)
        if record["outcome"] == "done":
            return record["result"]
        raise outcome_error(record)

    async def observe(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Observation]:
        """Make calls side by side; what came of each, in their order. Failures are kept as results are.

        Raises:
            ApprovalNeeded, OutcomeUnknown: a call needs a person. The others have been made, and are not repeated.
        """
        labels = self._turn.labels
        made = [self._observation(name, arguments, labels) for name, arguments in calls]
        results = await asyncio.gather(*made, return_exceptions=True)
        raised = [result for result in results if isinstance(result, BaseException)]
        if raised:
            # What fails the turn goes before what asks: the question is asked when the message comes back.
            raise min(raised, key=lambda error: isinstance(error, NeedsAnswer))
        return [result for result in results if isinstance(result, Observation)]

    async def compensate(self) -> int:
        """Take back all reversible calls of this message, the latest first; how many there were."""
        return await undo_all(self._turn, await open_calls(self._turn), self._tools)

    async def _observation(self, name: str, arguments: Mapping[str, Any], labels: frozenset[str]) -> Observation:
        try:
            record = await self._take(name, arguments, labels, last=True)
        except (ToolNotGranted, ToolNotPermitted, ToolDenied, InvalidInput, NotFound, NotAllowedNow) as error:
            return Observation(False, error=error.to_json())
        if record["outcome"] == "done":
            return Observation(True, record["result"])
        return Observation(False, error=record["error"])

    async def _take(self, name: str, arguments: Mapping[str, Any], labels: frozenset[str], *, last: bool) -> Record:
        turn = self._turn
        local = self._granted(name) if name in self._tools or not self._further.grants else None
        # Numbered before anything is awaited: calls side by side have the same numbers on every delivery.
        number, order = turn.occurrence(f"tool {name}"), [turn.attempt, turn.occurrence("tool order")]
        tool = local or self._permitted(name, await self._further.find(name))
        model = tool.read(arguments)
        given = model.model_dump(mode="json")
        judgement = self._guardrail.judge(tool, labels)
        if judgement is not None:
            await self._heed(judgement, tool, given, number)
        call = Call(
            turn, tool, given, number, order, lambda key: self._attempt(tool, model, key), self._bench.ids.new, last
        )
        started = self._bench.clock.monotonic()
        record = await call.take()
        self._account(tool, record, self._bench.clock.monotonic() - started)
        return record

    def _granted(self, name: str) -> Tool:
        return self._permitted(name, self._tools.get(name))

    def _permitted(self, name: str, tool: Tool | None) -> Tool:
        if tool is None:
            granted = ", ".join([*sorted(self._tools), *self._further.grants]) or "none"
            raise ToolNotGranted(f"Agent {self._turn.agent!r} was not granted tool {name!r}. It has: {granted}.")
        missing = tool.missing(self._permissions)
        if missing:
            self._turn.record("tool.not_permitted", tool=name, missing=missing)
            raise ToolNotPermitted(
                f"Agent {self._turn.agent!r} may not use tool {name!r}: it lacks {', '.join(missing)}. Add that to the "
                "`permissions` of the agent, if it should.",
                details={"tool": name, "missing": missing},
            )
        return tool

    def _attempt(self, tool: Tool, model: BaseModel, key: str) -> Attempt:
        turn = self._turn
        return Attempt(
            self._bench, tool, model, turn.agent, key, lambda: turn.remaining, self._registry.statistics(tool.name)
        )

    async def _heed(self, judgement: Judgement, tool: Tool, given: dict[str, Any], number: int) -> None:
        turn = self._turn
        turn.record(
            "guardrail",
            tool=tool.name,
            verdict=judgement.verdict,
            enforced=judgement.enforced,
            level=self._guardrail.level,
            reason=judgement.reason,
        )
        if not judgement.enforced:
            return
        if judgement.verdict == "deny":
            raise ToolDenied(f"{judgement.reason} Its agent's guardrail denies that.")
        question = turn.idempotency_key(f"approve {tool.name} {number} {digest(given)}")[:16]
        answered, answer = await turn.answer_to(question)
        if not answered:
            raise ApprovalNeeded(
                f"{judgement.reason} To allow or refuse it: aos agent send {turn.agent} tool.confirm "
                f'\'{{"question": "{question}", "approved": true}}\' (or false).',
                question=question,
                details={"asks": "approved", "tool": tool.name, "arguments": given, "risk": tool.risk},
            )
        turn.record("tool.approval", tool=tool.name, approved=answer["approved"], by=answer["by"])
        if not answer["approved"]:
            raise ToolDenied(f"A person refused the call of tool {tool.name!r}.")

    def _account(self, tool: Tool, record: Record, seconds: float) -> None:
        turn = self._turn
        if tool.outside is not None:
            turn.label(*tool.labels)
        turn.spend(tool_calls=1, tool_seconds=round(seconds, 6))
        facts = {"tool": tool.name, "effect": tool.effect, "outcome": record["outcome"]}
        if record["outcome"] != "done":
            facts["error"] = record["error"]
        turn.record("tool", **facts)
