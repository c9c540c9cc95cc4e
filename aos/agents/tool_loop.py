"""The loop of a model that uses tools: think, act, observe, until it answers or reaches a limit.

Thinking and acting are steps of the turn: a message that comes back goes through the loop again without paying for
what was thought or done before.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aos.agents.turn import Turn
from aos.llm.messages import ChatMessage, ToolCall, ToolSpec
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.tools.declaration import Tool
from aos.tools.model_names import model_names
from aos.tools.toolbox import Observation, Toolbox

Think = Callable[[ModelRequest], Awaitable[ModelResponse]]
"""Asks a model. What it answers must be the same whenever the message comes back: `turn.think` is, being a step."""

Stop = Literal["answer", "iterations", "cost", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a loop ends without an answer.

    Attributes:
        max_iterations: Times the model may think. What the last thought wishes for is not done: nobody would see it.
        max_cost: US dollars its thinking may cost in all; checked before each further thought. Answers of unknown
            price count as nothing.
        max_calls: Tool calls it may wish for at a time; those beyond are refused.
        max_observation: Characters of a result that the model is shown.
    """

    max_iterations: int = 5
    max_cost: float | None = None
    max_calls: int = 8
    max_observation: int = 20_000


@dataclass(frozen=True, slots=True)
class LoopStep:
    """One round: what the model thought, which calls it wished for, and what came of them."""

    thought: str
    calls: tuple[ToolCall, ...]
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class LoopResult:
    """How a loop ended.

    Attributes:
        answer: What the model said last; empty where it never came to an answer.
        stopped: Why the loop ended: `answer`, or the limit it reached.
        steps: The rounds with tool calls, in order.
        cost: US dollars, as far as prices are known.
        messages: The whole conversation. Wishes of a last thought that reached a limit are in it and were not done.
        response: The model's last answer.
    """

    answer: str
    stopped: Stop
    steps: tuple[LoopStep, ...]
    cost: float
    messages: tuple[ChatMessage, ...]
    response: ModelResponse

    @property
    def iterations(self) -> int:
        """Times the model thought."""
        return sum(message.role == "assistant" for message in self.messages)


async def use_tools(
    turn: Turn,
    toolbox: Toolbox,
    request: ModelRequest | str,
    *,
    think: Think | None = None,
    limits: Limits | None = None,
) -> LoopResult:
    """Let a model work with an agent's tools until it answers.

    Calls that the model wishes for at once are made side by side. What goes wrong with a call is shown to it, and it
    may try something else. A call that needs a person sets the message aside; the loop goes on from there.

    Args:
        turn: The turn.
        toolbox: What the model may use: `agent.toolbox(turn)`.
        request: What to do; its own `tools` are replaced by the toolbox's.
        think: Asks the model; `turn.think` by default.
        limits: Where to stop.

    Raises:
        ApprovalNeeded, OutcomeUnknown: the message is set aside until a person has answered.
        AosError: a server of granted tools cannot be asked what it has, and never could.
        SettingMissing, AllModelsFailed, BudgetExceeded, ModelError: as `turn.think` raises them.
    """
    bounds = limits or Limits()
    ask = think or turn.think
    asked = ModelRequest.ask(request) if isinstance(request, str) else request
    named = model_names(await toolbox.offered())
    specs = tuple(
        ToolSpec(name=name, description=tool.description, parameters=tool.parameters) for name, tool in named.items()
    )
    messages = list(asked.messages)
    steps: list[LoopStep] = []
    cost = 0.0
    while True:
        response = await ask(asked.model_copy(update={"messages": tuple(messages), "tools": specs}))
        cost += cost_of(response)
        messages.append(response.message)
        stopped = _stopped(response, bounds, cost, len(steps) + 1)
        if stopped is not None:
            break
        observations = await _act(toolbox, response.tool_calls, bounds, named)
        steps.append(LoopStep(response.text, response.tool_calls, tuple(observations)))
        messages += [_shown(call, seen, bounds) for call, seen in zip(response.tool_calls, observations, strict=True)]
    turn.record("tool.loop", stopped=stopped, rounds=len(steps), cost_usd=round(cost, 8))
    answer = response.text if stopped in ("answer", "length") else ""
    return LoopResult(answer, stopped, tuple(steps), cost, tuple(messages), response)


def cost_of(response: ModelResponse) -> float:
    """US dollars that an answer cost; nothing where its price is not known."""
    return response.cost.usd if response.cost is not None and not response.cached else 0.0


def shown_text(seen: Observation, bounds: Limits) -> str:
    """What came of a call, as a model is shown it."""
    value: Any = seen.result if seen.ok else {"error": dict(seen.error or {})}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > bounds.max_observation:
        text = f"{text[: bounds.max_observation]} [cut off: {len(text):,} characters in all]"
    return text


def _stopped(response: ModelResponse, bounds: Limits, cost: float, thoughts: int) -> Stop | None:
    """Why the loop ends with this thought; None where its wishes are to be done, for the next thought to see."""
    if not response.tool_calls:
        return "length" if response.finish_reason == "length" else "answer"
    if thoughts >= bounds.max_iterations:
        return "iterations"
    if bounds.max_cost is not None and cost >= bounds.max_cost:
        return "cost"
    return None


async def _act(
    toolbox: Toolbox, calls: Sequence[ToolCall], bounds: Limits, named: Mapping[str, Tool]
) -> list[Observation]:
    wished = [
        (named[call.name].name if call.name in named else call.name, call.arguments)
        for call in calls[: bounds.max_calls]
    ]
    made = await toolbox.observe(wished)
    said = f"At most {bounds.max_calls} calls at a time. Ask for this one again."
    refused = {"code": "too_many_calls", "message": said, "details": {}}
    return [*made, *(Observation(False, error=refused) for _ in calls[bounds.max_calls :])]


def _shown(call: ToolCall, seen: Observation, bounds: Limits) -> ChatMessage:
    return ChatMessage.tool(call, shown_text(seen, bounds), is_error=not seen.ok)
