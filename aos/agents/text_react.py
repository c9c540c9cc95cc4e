"""The tool-using loop in plain text, for models without tool calls: Thought, Action, Action Input, Observation.

Thoughts and calls are steps of the turn, as in `tool_loop`; the pattern is that of ReAct (Yao et al., 2022).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from aos.agents.tool_loop import Limits, Think, cost_of, shown_text
from aos.agents.turn import Turn
from aos.kernel.message import format_time
from aos.llm.messages import ChatMessage
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.tools.calculator import calculator
from aos.tools.declaration import Tool
from aos.tools.toolbox import Observation, Toolbox

FINISH = "finish"
_ACTION = re.compile(r"Action:\s*(.+?)\nAction\s*Input:\s*(.+)", re.DOTALL)
_FINAL = re.compile(r"Final Answer:\s*(.+)", re.DOTALL)
_OBSERVATION = "\nObservation:"
_FORM = """\
Work step by step. At each step write exactly this, and nothing after it:

Thought: what you think
Action: the name of one action
Action Input: its input as a JSON object

You are then shown an Observation, and go on. The actions are:

{actions}

End with the action finish."""
_FINISH_LINE = 'finish: Give the answer. Input: {"answer": "…"}'
_NO_ACTION = "There was no action. Write `Action:` and, on the next line, `Action Input:`; end with the action finish."
_REFLECT = (
    "You have no steps left. Reflect on what you have observed, and give the best answer you can, in plain words and "
    "without an action. Say what is missing in it."
)

TextStop = Literal["finish", "reflection", "cost"]


@dataclass(frozen=True, slots=True)
class TextStep:
    """One round.

    Attributes:
        thought: What the model wrote before its action.
        action: The name of the action; empty where it named none.
        action_input: What it was given: a JSON object, or the text that was none.
        observation: What the model was shown.
        timestamp: When the turn began that took it (RFC 3339).
    """

    thought: str
    action: str
    action_input: Any
    observation: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class TextResult:
    """How a loop ended.

    Attributes:
        answer: Empty where the costs reached their limit first.
        stopped: Whether the model finished, was asked for its best answer in the end, or became too expensive.
        steps: The rounds, the last with `finish` among them.
        iterations: Times the model thought, a last reflection not counted.
        cost: US dollars, as far as prices are known.
        trace_id: Of the turn.
        response: The model's last answer.
    """

    answer: str
    stopped: TextStop
    steps: tuple[TextStep, ...]
    iterations: int
    cost: float
    trace_id: str
    response: ModelResponse

    def to_json(self) -> dict[str, Any]:
        return {
            "outputs": {"answer": self.answer, "steps": [asdict(step) for step in self.steps]},
            "metadata": {"iterations": self.iterations, "trace_id": self.trace_id},
        }


async def use_tools_in_text(
    turn: Turn,
    toolbox: Toolbox,
    request: ModelRequest | str,
    *,
    think: Think | None = None,
    limits: Limits | None = None,
) -> TextResult:
    """Let a model that has no tool calls work with an agent's tools until it finishes.

    The actions are the toolbox's tools, `calculator`, and `finish`. What goes wrong with an action, an unknown one
    among them, is an observation. A model that does not finish is asked once more, for its best answer.

    Args:
        turn: The turn.
        toolbox: What the model may use: `agent.toolbox(turn)`.
        request: What to do. How to work is put below its system message.
        think: Asks the model; `turn.think` by default.
        limits: Where to stop.

    Raises:
        ApprovalNeeded, OutcomeUnknown: the message is set aside until a person has answered.
        SettingMissing, AllModelsFailed, BudgetExceeded, ModelError: as `turn.think` raises them.
    """
    return await _Loop(turn, toolbox.with_also(calculator), think or turn.think, limits or Limits()).run(request)


class _Loop:
    def __init__(self, turn: Turn, toolbox: Toolbox, think: Think, limits: Limits) -> None:
        self._turn = turn
        self._toolbox = toolbox
        self._think = think
        self._limits = limits
        self._tools: dict[str, Tool] = {}
        self._steps: list[TextStep] = []
        self._cost = 0.0

    async def run(self, request: ModelRequest | str) -> TextResult:
        asked = ModelRequest.ask(request) if isinstance(request, str) else request
        self._tools = {tool.name: tool for tool in await self._toolbox.offered()}
        form = _FORM.format(actions="\n".join([*map(_described, self._tools.values()), _FINISH_LINE]))
        messages = _instructed(asked.messages, form)
        asked = asked.model_copy(update={"tools": (), "stop": asked.stop or (_OBSERVATION,)})
        while True:
            response = await self._ask(asked, messages)
            thought, action, given = parse(response.text)
            messages.append(ChatMessage.assistant(response.text.partition(_OBSERVATION)[0]))
            if action == FINISH:
                answer = _answer(given)
                self._note(thought, action, given, answer)
                return self._ended("finish", answer, response)
            observation = await self._act(action, given)
            self._note(thought, action, given, observation)
            messages.append(ChatMessage.user(f"Observation: {observation}"))
            if self._limits.max_cost is not None and self._cost >= self._limits.max_cost:
                return self._ended("cost", "", response)
            if len(self._steps) >= self._limits.max_iterations:
                messages.append(ChatMessage.user(_REFLECT))
                response = await self._ask(asked, messages)
                return self._ended("reflection", _without_form(response.text), response)

    async def _ask(self, asked: ModelRequest, messages: Sequence[ChatMessage]) -> ModelResponse:
        response = await self._think(asked.model_copy(update={"messages": tuple(messages)}))
        self._cost += cost_of(response)
        return response

    async def _act(self, action: str, given: Any) -> str:
        tool = self._tools.get(action)
        if not action:
            seen = _refused("no_action", _NO_ACTION)
        elif tool is None:
            names = ", ".join([*self._tools, FINISH])
            seen = _refused("unknown_action", f"Unknown action: {action}. There are: {names}.")
        else:
            arguments = _arguments(tool, given)
            if arguments is None:
                seen = _refused("validation_error", f"The input of {action} must be a JSON object. {_described(tool)}")
            else:
                (seen,) = await self._toolbox.observe([(action, arguments)])
        return shown_text(seen, self._limits)

    def _note(self, thought: str, action: str, given: Any, observation: str) -> None:
        step = TextStep(thought, action, given, observation, format_time(self._turn.now))
        self._steps.append(step)
        cut = {name: value[:1_000] if isinstance(value, str) else value for name, value in asdict(step).items()}
        self._turn.record("react.step", **cut)

    def _ended(self, stopped: TextStop, answer: str, response: ModelResponse) -> TextResult:
        self._turn.record("tool.loop", stopped=stopped, rounds=len(self._steps), cost_usd=round(self._cost, 8))
        steps = tuple(self._steps)
        return TextResult(answer, stopped, steps, len(steps), self._cost, self._turn.trace_id, response)


def parse(text: str) -> tuple[str, str, Any]:
    """Thought, action and its input, from what a model wrote; the action is empty where there is none.

    What the model imagines to have observed is cut off. A `Final Answer:` counts as `finish`.
    """
    written = text.partition(_OBSERVATION)[0]
    found = _ACTION.search(written)
    if found is None:
        final = _FINAL.search(written)
        if final is not None:
            return _thought(written[: final.start()]), FINISH, final[1].strip()
        return _thought(written), "", None
    return _thought(written[: found.start()]), found[1].strip().strip("`*"), _value(found[2])


def _value(text: str) -> Any:
    """The input: JSON where it begins with some, whatever is said after it; else the text."""
    plain = text.strip().removeprefix("```json").removeprefix("```").strip()
    try:
        value, end = json.JSONDecoder().raw_decode(plain)
    except ValueError:
        return plain.removesuffix("```").strip()
    return value if isinstance(value, dict) or not plain[end:].strip(" `\n") else plain


def _thought(text: str) -> str:
    return text.strip().removeprefix("Thought:").strip()


def _answer(given: Any) -> str:
    answer = given.get("answer", given) if isinstance(given, dict) else given
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _without_form(text: str) -> str:
    """The answer of a reflection, which a model may dress as an action all the same."""
    thought, action, given = parse(text)
    return _answer(given) if action == FINISH else thought


def _arguments(tool: Tool, given: Any) -> dict[str, Any] | None:
    """The input as arguments; a plain value is that of a tool with only one."""
    if isinstance(given, dict):
        return given
    names = list(tool.parameters.get("properties", {}))
    return {names[0]: given} if len(names) == 1 else None


def _described(tool: Tool) -> str:
    properties = tool.parameters.get("properties", {})
    return f"{tool.name}: {tool.description} Input: {json.dumps(properties, ensure_ascii=False)}"


def _instructed(messages: Sequence[ChatMessage], form: str) -> list[ChatMessage]:
    if messages[0].role == "system":
        return [ChatMessage.system(f"{messages[0].text}\n\n{form}"), *messages[1:]]
    return [ChatMessage.system(form), *messages]


def _refused(code: str, message: str) -> Observation:
    return Observation(False, error={"code": code, "message": message, "details": {}})
