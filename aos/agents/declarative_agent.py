"""The agent behind a declaration: it puts what it is asked to a model, with its instructions and the conversation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from aos.agents.agent import Agent
from aos.agents.conversations.limits import ConversationLimits
from aos.agents.conversations.summarising import STEP
from aos.agents.declaration import AnswerLimits, Declaration
from aos.agents.query import QUERY_TYPE, Query
from aos.agents.topics import best
from aos.agents.turn import Turn
from aos.agents.wake import WAKE_TYPE
from aos.agents.work import TEAM_CONTRIBUTE, WORK, ContributionRequest, Work
from aos.kernel.errors import InvalidInput, PermissionDenied, SettingMissing, TerminalError
from aos.kernel.policy import AgentPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aos.agents.tool_loop import Think
    from aos.llm.messages import ChatMessage
    from aos.llm.request import ModelRequest
    from aos.llm.response import ModelResponse
    from aos.llm.route import Route

Data = TypeVar("Data", bound=BaseModel)

ANSWER_TYPE = "agent.answered"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks: the words, the conversation they belong to, and how long and how free the answer may be."""

    prompt: str
    conversation: str
    max_tokens: int | None = None
    temperature: float | None = None


class Remembered(BaseModel):
    """The state of a declared agent: what it spent on the `day` (UTC)."""

    day: str = ""
    calls: int = 0
    usd: float = 0.0

    def count(self, response: ModelResponse) -> None:
        self.calls += 1
        self.usd += 0.0 if response.cost is None else response.cost.usd


class DeclarativeAgent(Agent[Remembered]):
    """An agent made from a declaration. It answers `agent.query` and what its triggers name, and does `work.do`.

    The reply holds `answer`, `conversation`, `provider`, `model`, and `value` where the declaration has a
    `response_schema`. As a member of a team it answers `team.contribute`.
    """

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self.type = declaration.id
        self.name = declaration.name
        self.purpose = declaration.purpose or declaration.description
        self.capabilities = declaration.capabilities
        self.policy = AgentPolicy(message_timeout=declaration.limits.seconds + 30)
        self.conversation_limits = _conversation_limits(declaration.limits)
        self.wakes = declaration.wakes
        self.tools = declaration.tools
        self.mcp = declaration.mcp_grants
        self.permissions = declaration.permissions
        super().__init__()

    @property
    def topics(self) -> frozenset[str]:
        return frozenset(trigger.topic for trigger in self.declaration.triggers if trigger.topic)

    @property
    def message_types(self) -> list[str]:
        own = {trigger.message for trigger in self.declaration.triggers if trigger.message}
        return sorted({QUERY_TYPE, WORK, TEAM_CONTRIBUTE, *own, *([WAKE_TYPE] if self.wakes else [])})

    async def _take(self, turn: Turn) -> None:
        if turn.message.type == TEAM_CONTRIBUTE:
            await self._contribute(turn)
        else:
            await self._answer_question(turn)

    async def _contribute(self, turn: Turn) -> None:
        """Speak in a team. What it is to know comes with the request, so that it remembers nothing of it."""
        from aos.agents.contributing import contribution_of, contribution_prompt

        if not turn.can_think:
            raise _no_model(turn)
        asked = _parsed(ContributionRequest, TEAM_CONTRIBUTE, turn.message.data)
        state = Remembered.model_validate({k: v for k, v in turn.state.items() if k in Remembered.model_fields})
        self._afford(turn, state)
        request = contribution_prompt(asked, self.declaration.instructions)
        response = await turn.think(request, route=self._route(self.declaration.limits.seconds))
        state.count(response)
        turn.state = {**turn.state, **state.model_dump(mode="json")}
        turn.reply(contribution_of(asked, response).model_dump(mode="json"))

    async def _answer_question(self, turn: Turn) -> None:
        asked = self._question(turn)
        state = Remembered.model_validate({k: v for k, v in turn.state.items() if k in Remembered.model_fields})
        self._afford(turn, state)
        conversation = await self.conversation(turn, asked.conversation)
        said = conversation.messages(system=self.declaration.instructions)
        conversation.append(asked.prompt)
        response = await self._ask(turn, asked, said)
        answer = self._worded(response, asked.conversation)
        conversation.append(response.text, role="assistant")
        state.count(response)
        turn.state = {**turn.state, **state.model_dump(mode="json")}
        self._send_answer(turn, answer)
        if self.declaration.publish is not None and turn.message.type != QUERY_TYPE:
            turn.publish(self.declaration.publish, ANSWER_TYPE, {"agent": turn.agent, **answer})

    def _question(self, turn: Turn) -> Asked:
        message = turn.message
        if turn.request is None and not message.is_reply:
            if message.topic is not None:
                topic = best(self.topics, message.topic)
                prompts = [t.prompt for t in self.declaration.triggers if t.topic == topic]
                return Asked(_below(prompts[0] if prompts else "", message.type, message.data), f"topic {topic}")
            if message.type == QUERY_TYPE:
                data = {"prompt": message.data} if isinstance(message.data, str) else message.data
                query = _parsed(Query, QUERY_TYPE, data)
                name = query.conversation or message.conversation_id or "main"
                return Asked(query.text, name, query.max_tokens, query.temperature)
            if message.type == WORK:
                work = _parsed(Work, WORK, message.data)
                return Asked(_as_prompt(work), work.run_id)
            if message.type == WAKE_TYPE and isinstance(message.data, dict) and self.wakes:
                name = str(message.data.get("wake", ""))
                prompt = self.declaration.prompt_of_wake(name)
                return Asked(prompt or _below("It is time.", message.type, message.data), f"wake {name}")
            for trigger in self.declaration.triggers:
                if trigger.message == message.type:
                    conversation = message.conversation_id or f"message {message.type}"
                    return Asked(_below(trigger.prompt, message.type, message.data), conversation)
        raise self._unknown(turn)

    def _afford(self, turn: Turn, state: Remembered) -> None:
        today = turn.now.date().isoformat()
        if state.day != today:
            state.day, state.calls, state.usd = today, 0, 0.0
        budget = self.declaration.budget
        spent = budget.usd_per_day is not None and state.usd >= budget.usd_per_day
        if spent or (budget.calls_per_day is not None and state.calls >= budget.calls_per_day):
            raise PermissionDenied(
                f"Agent {turn.agent!r} has used up its budget for {today}: {state.calls} calls, {state.usd:.4f} USD. "
                "Ask again tomorrow, or raise `budget` in its declaration.",
                code="budget_exceeded",
            )

    async def _ask(self, turn: Turn, asked: Asked, said: tuple[ChatMessage, ...]) -> ModelResponse:
        from aos.llm.request import ChatMessage, ModelRequest, ResponseFormat
        from aos.llm.tries import NoModelFits

        if not turn.can_think:
            raise _no_model(turn)
        schema, limits = self.declaration.response_schema, self.declaration.limits
        request = ModelRequest(
            messages=(*said, ChatMessage.user(asked.prompt)),
            max_tokens=min(filter(None, (asked.max_tokens, limits.max_tokens)), default=None),
            temperature=limits.temperature if asked.temperature is None else asked.temperature,
            response_format=None if schema is None else ResponseFormat(json_schema=schema),
        )
        route = self._route(limits.seconds)
        try:
            return await (self._work(turn, request, route) if self._has_tools else turn.think(request, route=route))
        except NoModelFits as error:
            raise _no_model(turn, error.message) from error

    async def _work(self, turn: Turn, request: ModelRequest, route: Route) -> ModelResponse:
        """Let the model use the granted tools; its last answer, with what all its thoughts cost."""
        from aos.agents.tool_loop import use_tools
        from aos.llm.response import Cost

        def think(asked: ModelRequest) -> Awaitable[ModelResponse]:
            return turn.think(asked, route=route)

        if self.declaration.tool_calling == "text":
            return await self._work_in_text(turn, request, think)
        result = await use_tools(turn, self.toolbox(turn), request, think=think)
        if result.stopped not in ("answer", "length"):
            raise TerminalError(
                f"The model used tools {len(result.steps)} times and came to no answer. Ask for less at a time.",
                code="no_answer",
            )
        return result.response.model_copy(update={"cost": Cost(usd=result.cost)})

    async def _work_in_text(self, turn: Turn, request: ModelRequest, think: Think) -> ModelResponse:
        from aos.agents.text_react import use_tools_in_text
        from aos.llm.messages import TextPart
        from aos.llm.response import Cost

        result = await use_tools_in_text(turn, self.toolbox(turn), request, think=think)
        answer = TextPart(text=result.answer)
        return result.response.model_copy(update={"parts": (answer,), "cost": Cost(usd=result.cost)})

    def _worded(self, response: ModelResponse, conversation: str) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "answer": response.text,
            "conversation": conversation,
            "provider": response.provider,
            "model": response.model,
        }
        if response.degraded:
            answer["degraded"] = response.degraded_reason
        elif self.declaration.response_schema is not None:
            answer["value"] = response.parsed
        return answer

    async def think_of_summary(self, turn: Turn, request: ModelRequest) -> str:
        """As the agent's own answers, from the same models and the same budget."""
        state = Remembered.model_validate({k: v for k, v in turn.state.items() if k in Remembered.model_fields})
        self._afford(turn, state)
        response = await turn.think(request, name=STEP, route=self._route(self.conversation_limits.summary_seconds))
        state.count(response)
        turn.state.update(state.model_dump(mode="json"))
        return "" if response.degraded else response.text

    def _route(self, seconds: float) -> Route:
        from aos.llm.route import Route

        chain = {"models": self.declaration.model} if self.declaration.model else {}
        return Route(seconds=seconds, **chain)


def _conversation_limits(limits: AnswerLimits) -> ConversationLimits:
    return ConversationLimits(
        max_entries=limits.messages,
        max_tokens=limits.characters // 4,
        max_bytes=limits.characters + 1_000 * limits.messages,
        max_open=limits.conversations,
    )


def _parsed(model: type[Data], message_type: str, data: Any) -> Data:
    from pydantic import ValidationError

    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg']}" for e in error.errors()[:5])
        hint = ' Send {"prompt": "…"}.' if model is Query else ""
        raise InvalidInput(f"The data of {message_type!r} does not fit: {problems}.{hint}") from error


def _as_prompt(work: Work) -> str:
    """A step of a workflow, in words."""
    shown = {"target": work.target, "parameters": work.parameters, "results": work.results}
    content = {name: value for name, value in shown.items() if value}
    prompt = work.parameters.get("prompt")
    return _below(str(prompt or work.title or f"Do the step {work.step!r}."), WORK, content)


def _below(prompt: str, message_type: str, data: Any) -> str:
    content = json.dumps(data, ensure_ascii=False, indent=1, default=str)
    return f"{prompt}\n\nReceived {message_type}:\n{content}".strip()


def _no_model(turn: Turn, why: str = "") -> SettingMissing:
    return SettingMissing(
        f"Agent {turn.agent!r} has no AI model to ask. Set a provider's API key in the app settings, or another "
        f"`model` in its declaration; `aos models list` names those there are. {why}".strip(),
        code="no_model_configured",
    )
