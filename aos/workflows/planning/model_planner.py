"""A workflow planned by a model: checked like any other, its mistakes shown to the model before it is refused."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.check import check
from aos.workflows.definition.known import Known
from aos.workflows.definition.workflow import Workflow
from aos.workflows.planning.selection import Candidate

if TYPE_CHECKING:
    from aos.llm.request import ModelRequest
    from aos.llm.response import ModelResponse

Think = Callable[["ModelRequest"], Awaitable["ModelResponse"]]
TRIES = 3
_MOST_STEPS = 30

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["steps"],
    "properties": {
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": _MOST_STEPS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "agent", "prompt", "needs"],
                "properties": {
                    "id": {"type": "string", "description": "letters, digits, - and _"},
                    "agent": {"type": "string"},
                    "prompt": {"type": "string", "description": "what the agent is to do, in words"},
                    "needs": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}


@dataclass(frozen=True, slots=True)
class PlannedWorkflow:
    """What a model planned, and how many tries it took."""

    workflow: Workflow
    tries: int


async def plan_with_model(
    goal: str, candidates: Sequence[Candidate], known: Known, think: Think, *, name: str
) -> PlannedWorkflow:
    """Have a model plan a workflow for a goal.

    Args:
        goal: What is to be reached.
        candidates: The agents it may use.
        known: What the workflow is checked against.
        think: Asks a model, best as a step of the turn.
        name: Of the workflow.

    Raises:
        InvalidInput: after all tries what it planned is not right still; the details have the last problems.
        ModelError: as `think` raises it.
    """
    from aos.llm.request import ChatMessage, ModelRequest, ResponseFormat

    messages = [ChatMessage.system(_instructions(candidates)), ChatMessage.user(f"The goal: {goal}")]
    problems: list[str] = []
    for attempt in range(1, TRIES + 1):
        response_format = ResponseFormat(name="workflow", json_schema=_SCHEMA)
        response = await think(ModelRequest(messages=tuple(messages), response_format=response_format))
        planned, problems = _read(response.parsed, goal, known, name)
        if planned is not None and not problems:
            return PlannedWorkflow(planned, attempt)
        wrong = "\n".join(f"- {problem}" for problem in problems)
        messages += [ChatMessage.assistant(response.text), ChatMessage.user(f"This is not right:\n{wrong}\nMend it.")]
    raise InvalidInput(
        f"The model planned no workflow that can run, in {TRIES} tries: {'; '.join(problems[:3])}",
        code="plan_invalid",
        details={"problems": problems},
    )


def _read(answer: Any, goal: str, known: Known, name: str) -> tuple[Workflow | None, list[str]]:
    if not isinstance(answer, dict):
        return None, ["the answer is not the JSON object that was asked for"]
    steps = [
        {
            "id": step["id"],
            "agent": step["agent"],
            "needs": step["needs"],
            # What a model writes is text, and no template that would be filled in.
            "with": {"prompt": str(step["prompt"]).replace("${{", "$ {{"), "goal": goal.replace("${{", "$ {{")},
        }
        for step in answer["steps"]
    ]
    try:
        workflow = Workflow.from_json({"name": name, "title": goal[:200], "steps": steps})
    except InvalidInput as error:
        return None, [error.message]
    return workflow, [str(problem) for problem in check(workflow, known)]


def _instructions(candidates: Sequence[Candidate]) -> str:
    listed = [
        {"agent": each.agent, "capabilities": sorted(each.capabilities), "domains": sorted(each.domains)}
        for each in candidates
        if each.available
    ]
    return (
        f"Plan how agents reach a goal: at most {_MOST_STEPS} steps, each done by one agent, with the ids of the steps "
        "whose results it needs. Steps without needs run side by side. Use no more steps than it takes, and only these "
        f"agents:\n{json.dumps(listed, ensure_ascii=False)}"
    )
