"""Tools used in words: what the model is told, what is made of what it writes, and that nothing is done twice."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from aos.agents import Agent, AgentPolicy, RetryPolicy, Turn, on
from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent
from aos.agents.text_react import TextResult, parse, use_tools_in_text
from aos.agents.tool_loop import Limits
from aos.kernel.errors import RetryableError
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.tools import tool
from tests.agents.test_tool_loop import says
from tests.harness import MemorySystem
from tests.llm.scripted import stage

sent: list[str] = []


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    sent.clear()


@tool(effect="irreversible")
async def send(text: str) -> str:
    """Send a text."""
    sent.append(text)
    return "sent"


@tool(effect="read")
async def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


def acts(action: str, given: str, thought: str = "hm") -> ModelResponse:
    return says(f"Thought: {thought}\nAction: {action}\nAction Input: {given}")


class Result(BaseModel):
    results: list[dict[str, Any]] = []


class Solver(Agent[Result]):
    type = "solver"
    tools = (send, add)
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=3))

    def __init__(self, *script: ModelResponse, fails: int = 0, **limits: Any) -> None:
        super().__init__()
        self.script = list(script)
        self.asked: list[ModelRequest] = []
        self.results: list[TextResult] = []
        self.limits = Limits(**limits)
        self.fails = fails

    @on("solve")
    async def solve(self, turn: Turn, state: Result, task: str) -> None:
        async def think(request: ModelRequest) -> ModelResponse:
            async def work() -> Any:
                self.asked.append(request)
                return self.script.pop(0).model_dump(mode="json")

            return ModelResponse.model_validate(await turn.step("think", work))

        result = await use_tools_in_text(turn, self.toolbox(turn), task, think=think, limits=self.limits)
        self.results.append(result)
        if turn.attempt <= self.fails:
            raise RetryableError("once more")
        state.results.append(result.to_json())


async def run(agent: Solver) -> MemorySystem:
    world = MemorySystem(agent)
    await world.system.directory.send("solver", "solve", "What is 6 times 7?")
    await world.settle()
    return world


def observations(agent: Solver) -> list[str]:
    return [message.text for message in agent.asked[-1].messages if message.text.startswith("Observation: ")]


async def test_the_model_acts_observes_and_finishes() -> None:
    agent = Solver(acts("calculator", '{"expression": "6*7"}'), acts("finish", '{"answer": "It is 42."}'))
    world = await run(agent)
    [made] = (await world.state("solver"))["results"]
    assert made["outputs"]["answer"] == "It is 42."
    assert [step["action"] for step in made["outputs"]["steps"]] == ["calculator", "finish"]
    first = made["outputs"]["steps"][0]
    assert (first["thought"], first["action_input"], first["observation"]) == ("hm", {"expression": "6*7"}, "42")
    assert first["timestamp"].endswith("Z")
    [entry] = await world.system.directory.journal("solver")
    assert made["metadata"] == {"iterations": 2, "trace_id": entry.trace}
    assert [fact["kind"] for fact in entry.facts] == ["tool", "react.step", "react.step", "tool.loop"]
    told = agent.asked[0].messages[0].text
    assert "send: Send a text." in told
    assert "calculator" in told
    assert "search" not in told
    assert agent.asked[0].tools == ()


async def test_what_goes_wrong_is_an_observation() -> None:
    agent = Solver(
        acts("search", '{"query": "6*7"}'),
        acts("add", "six and seven"),
        acts("add", '{"left": "six", "right": 7}'),
        says("I think it is 42."),
        acts("finish", "42"),
    )
    world = await run(agent)
    unknown, no_object, wrong, no_action = observations(agent)
    assert "Unknown action: search. There are: " in unknown
    assert "must be a JSON object" in no_object
    assert "validation_error" in wrong
    assert "There was no action" in no_action
    assert (await world.state("solver"))["results"][0]["outputs"]["answer"] == "42"


async def test_a_model_that_does_not_finish_is_asked_for_its_best_answer() -> None:
    agent = Solver(*[acts("add", f'{{"left": 1, "right": {n}}}') for n in range(5)], says("Thought: It is about 5."))
    world = await run(agent)
    [result] = agent.results
    assert (result.stopped, result.answer, result.iterations) == ("reflection", "It is about 5.", 5)
    assert "no steps left" in agent.asked[-1].messages[-1].text
    assert len(agent.asked) == 6
    [entry] = await world.system.directory.journal("solver")
    assert entry.facts[-1]["stopped"] == "reflection"


async def test_it_ends_when_it_costs_too_much() -> None:
    agent = Solver(*[acts("add", '{"left": 1, "right": 1}') for _ in range(9)], max_cost=0.02)
    await run(agent)
    [result] = agent.results
    assert (result.stopped, result.answer, len(agent.asked)) == ("cost", "", 2)


async def test_nothing_is_thought_or_done_twice_when_the_message_is_tried_again() -> None:
    agent = Solver(acts("send", "hello"), acts("finish", '{"answer": 1}'), fails=2)
    world = await run(agent)
    assert sent == ["hello"]
    assert len(agent.asked) == 2
    assert (await world.state("solver"))["results"][0]["outputs"]["answer"] == "1"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ('Thought: a\nAction: add\nAction Input: {"left": 1}', ("a", "add", {"left": 1})),
        ('a\nAction: `add`\nAction  Input: {"left":\n 1}\n', ("a", "add", {"left": 1})),
        ('Action: add\nAction Input: ```json\n{"left": 1}\n```', ("", "add", {"left": 1})),
        ("Action: send\nAction Input: hello there", ("", "send", "hello there")),
        ("Action: send\nAction Input: 3 eggs", ("", "send", "3 eggs")),
        ('Action: add\nAction Input: {"left": 1}\nObservation: 7\nThought: b', ("", "add", {"left": 1})),
        ('Action: add\nAction Input: {"left": 1}\nThis adds.', ("", "add", {"left": 1})),
        ("Thought: done\nFinal Answer: 42", ("done", "finish", "42")),
        ("Thought: what now?", ("what now?", "", None)),
        ("Thought: a\nObservation: it rains\nAction: add\nAction Input: 1", ("a", "", None)),
    ],
)
def test_what_a_model_writes_is_read(text: str, parsed: tuple[str, str, Any]) -> None:
    assert parse(text) == parsed


async def test_a_declared_agent_may_work_in_text() -> None:
    values = {"id": "sums", "name": "Sums", "description": "Sums up.", "instructions": "Work it out."}
    declaration = Declaration.model_validate({**values, "tools": ("calculator",), "tool_calling": "text"})
    scene = stage(a=[acts("calculator", "6*7"), acts("finish", '{"answer": "It is 42."}')])
    world = MemorySystem(DeclarativeAgent(declaration))
    world.registry.surroundings.find_router = lambda: scene.router
    await world.system.directory.send("sums", "agent.query", {"prompt": "6*7?"}, reply_to="queue:out")
    await world.settle()
    [answer] = world.sent_to("out")
    assert answer["data"]["answer"] == "It is 42."
    with pytest.raises(ValidationError, match="response_schema"):
        Declaration.model_validate({**declaration.to_json(), "response_schema": {"type": "object"}})
