"""How calls are journaled, by the effect of their tool, so that a message that comes back repeats none it must not.

A call that may be repeated is one step. Any other is reserved, executed and settled: a reservation that was never
settled tells that the process died in between, and that nobody knows whether the call was done.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aos.kernel.errors import AosError, TerminalError, Throttled
from aos.kernel.turn import Turn
from aos.tools.attempt import Attempt
from aos.tools.declaration import Tool, Undo
from aos.tools.errors import CallDiverged, NotDone, OutcomeUnknown, ToolFailed, ToolRefused

Record = dict[str, Any]
"""What a step keeps of a call: `outcome` is done, failed, not_done or undone."""


def digest(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Call:
    """One call in a turn.

    Attributes:
        turn, tool: Whose call, of what.
        arguments: As JSON.
        number: How many calls of this tool the turn made before.
        order: Places the call among all calls of the message.
        attempt: Makes the call under an idempotency key.
        mark: Makes unique marks, by which a reservation is recognised as one's own.
        last: Whether a failure is kept too; else it raises, and the message may be tried again.
    """

    turn: Turn
    tool: Tool
    arguments: dict[str, Any]
    number: int
    order: list[int]
    attempt: Callable[[str], Attempt]
    mark: Callable[[], str]
    last: bool

    async def take(self) -> Record:
        """Make the call, unless the message's steps tell what came of it."""
        return await (self._repeatable() if self.tool.effect in ("read", "idempotent") else self._guarded())

    async def _repeatable(self) -> Record:
        name = f"tool {self.tool.name} {digest(self.arguments)}"
        key = self.turn.idempotency_key(f"{name} {self.turn.occurrence(name)}")

        async def work() -> Record:
            try:
                return self._done(await self.attempt(key).run())
            except TerminalError as error:
                return self._failed(error)
            except (ToolFailed, NotDone, Throttled) as error:
                if not self.last:
                    raise
                return self._failed(error)

        return await self.turn.step(name, work)

    async def _guarded(self) -> Record:
        for round_ in itertools.count():
            reservation, fresh = await self._reserve(f"{self.tool.name} {self.number} {round_}")
            settle = partial(self._execute if fresh else self._find_out, reservation)
            record = await self.turn.step(f"tool settled {reservation['reserved']}", settle)
            if record["outcome"] in ("done", "failed"):
                return record
            if fresh:
                raise revived(record["error"], NotDone)
        raise AssertionError("rounds never end")

    async def _reserve(self, name: str) -> tuple[Record, bool]:
        """The reservation, and whether this delivery made it."""
        tool, mark = self.tool, self.mark()
        # A call that was taken back is another call; one that was not is the same to the system it calls.
        own = mark if tool.effect == "reversible" else ""
        wanted: Record = {
            "reserved": name,
            "tool": tool.name,
            "effect": tool.effect,
            "arguments": self.arguments,
            "order": self.order,
            "mark": mark,
            "key": self.turn.idempotency_key(f"tool {tool.name} {self.number} {own}"),
        }

        async def reserve() -> Record:
            return wanted

        found = await self.turn.step(f"tool reserved {name}", reserve)
        if found["arguments"] != self.arguments:
            raise CallDiverged(
                f"A message that came back called {tool.effect} tool {tool.name!r} with other arguments than before. "
                "Take what changes from the message or from a step, so that the same message makes the same calls.",
                details={"tool": tool.name, "before": found["arguments"], "now": self.arguments},
            )
        return found, found["mark"] == mark

    async def _execute(self, reservation: Record) -> Record:
        settled = {"settled": reservation["mark"]}
        try:
            result = await self.attempt(reservation["key"]).run()
        except TerminalError as error:
            return {**self._failed(error), **settled}
        except (NotDone, Throttled) as error:
            return {**self._failed(error), **settled, "outcome": "failed" if self.last else "not_done"}
        except ToolFailed as error:
            if self.tool.effect == "irreversible":
                raise unknown(self.turn, reservation, error.message) from error
            if not self.last:
                raise
            await undo(self.turn, self.tool, reservation, None, known=False)
            return {**self._failed(error), **settled}
        return {**self._done(result), **settled}

    async def _find_out(self, reservation: Record) -> Record:
        """What to do about a call that was reserved and never settled."""
        settled = {"tool": self.tool.name, "settled": reservation["mark"]}
        if self.tool.effect == "reversible":
            await undo(self.turn, self.tool, reservation, None, known=False)
            return {**settled, "outcome": "undone"}
        error = unknown(self.turn, reservation, "the process stopped before the outcome was recorded")
        answered, answer = await self.turn.answer_to(error.question)
        if not answered:
            raise error
        if answer["executed"]:
            return {**settled, "outcome": "done", "result": answer["result"], "told_by": answer["by"]}
        return {**settled, "outcome": "not_done", "told_by": answer["by"]}

    def _done(self, result: Any) -> Record:
        return {"tool": self.tool.name, "outcome": "done", "result": result}

    def _failed(self, error: AosError) -> Record:
        return {"tool": self.tool.name, "outcome": "failed", "error": error.to_json()}


def unknown(turn: Turn, reservation: Record, why: str) -> OutcomeUnknown:
    """The question whether an irreversible call was executed."""
    question = turn.idempotency_key(f"outcome {reservation['reserved']} {reservation['mark']}")[:16]
    tool = reservation["tool"]
    return OutcomeUnknown(
        f"Nobody knows whether {tool!r} was executed: {why}. Look, and answer: "
        f"aos agent send {turn.agent} tool.confirm "
        f'\'{{"question": "{question}", "executed": true}}\' (or false; with "result", if it has one).',
        question=question,
        details={
            "asks": "executed",
            "tool": tool,
            "arguments": reservation["arguments"],
            "idempotency_key": reservation["key"],
        },
    )


async def undo(turn: Turn, tool: Tool, reservation: Record, result: Any, *, known: bool) -> None:
    """Take a reversible call back, once. Raises what the compensation raises."""
    compensation = tool.compensation
    if compensation is None:
        raise AssertionError(f"{tool.name} is not reversible")

    async def work() -> Record:
        await compensation(Undo(turn.agent, reservation["arguments"], result, known, reservation["key"]))
        return {"undone": reservation["mark"], "tool": tool.name}

    await turn.step(f"tool undone {reservation['mark']}", work)
    turn.record("tool.undone", tool=tool.name, key=reservation["key"], known=known)


def outcome_error(record: Record) -> AosError:
    """The error of a call that failed, as it is raised again whenever its message comes back."""
    return revived(record["error"], ToolFailed if record["error"]["retryable"] else ToolRefused)


def revived(error: dict[str, Any], as_: type[AosError]) -> AosError:
    """An error from its JSON, as one of another class."""
    return as_(error["message"], code=error["code"], details=error["details"])
