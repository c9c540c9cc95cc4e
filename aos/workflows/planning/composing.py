"""Workflows made for a request: from a plan's agents, from the phases of a goal, or from an intent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.workflow import Workflow
from aos.workflows.planning.execution import Coordination, ExecutionPlan

PHASES = (("research", "2h"), ("analysis", "4h"), ("execution", "8h"), ("validation", "2h"))
"""What a goal goes through, and how long each may take."""


def compose(plan: ExecutionPlan, *, name: str, timeout: str = "10m") -> Workflow:
    """The workflow of a plan: a step for each agent, in the plan's order of work.

    Its inputs are `task` (what is asked, in words), `target` and `parameters`, so that plans with the same agents in
    the same order are one workflow. Where agents collaborate, the best of them combines what all came to.

    Args:
        plan: Who takes part, and in which order. It must not be one of a declared workflow.
        name: Of the workflow.
        timeout: How long each may take.
    """
    taken: set[str] = set()
    given: dict[str, Any] = {"parameters": "${{ inputs.parameters }}"}
    if plan.servers:
        given["mcp_servers"] = list(plan.servers)
    steps: list[dict[str, Any]] = [
        {"id": _id(agent, taken), "agent": agent, "with": {"prompt": "${{ inputs.task }}", **given}, "timeout": timeout}
        for agent in plan.agents
    ]
    if plan.coordination is Coordination.COLLABORATIVE and len(plan.agents) > 1:
        combined = {"prompt": "Combine what the others came to into one answer. ${{ inputs.task }}"}
        steps.append({"id": "combine", "agent": plan.agents[0], "with": combined, "timeout": timeout})
    mode = plan.coordination.value if len(steps) > 1 else "graph"
    inputs = {"task": "string", "target": "string", "parameters": {"type": "object", "default": {}}}
    return Workflow.from_json({"name": name, "mode": mode, "inputs": inputs, "steps": steps})


def from_goal(
    goal: str,
    agents: Sequence[str],
    *,
    key: str,
    constraints: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Workflow:
    """A workflow for a goal: research, analysis, execution, validation, each by the next agent in turn.

    Args:
        goal: What is to be reached.
        agents: Who may work on it.
        key: Makes its name, `dynamic_<key>`.
        constraints: What every step has to keep to.
        context: What every step should know.

    Raises:
        InvalidInput: there is nobody to work on it.
    """
    _somebody(agents)
    known = {"goal": goal, "constraints": dict(constraints or {}), "context": dict(context or {})}
    steps = [
        {
            "id": phase,
            "agent": agents[number % len(agents)],
            "title": f"{phase.capitalize()}: {goal}"[:200],
            "with": {"phase": phase, "prompt": f"Do the {phase} for this goal: {goal}", **known},
            "timeout": timeout,
        }
        for number, (phase, timeout) in enumerate(PHASES)
    ]
    return Workflow.from_json({"name": f"dynamic_{key}", "title": goal[:200], "mode": "sequential", "steps": steps})


def from_intent(
    objective: str,
    stakeholders: Sequence[str],
    *,
    key: str,
    timeline: str | None = None,
    success_metrics: Sequence[str] = (),
) -> Workflow:
    """A workflow for an intent: the first stakeholder plans, each carries out his part, the first reviews.

    Args:
        objective: What is intended.
        stakeholders: Agents that have a part in it.
        key: Makes its name, `intent_<key>`.
        timeline: By when, in words.
        success_metrics: What the review looks at.

    Raises:
        InvalidInput: there are no stakeholders.
    """
    _somebody(stakeholders)
    lead = stakeholders[0]
    known = {"objective": objective, "timeline": timeline, "success_metrics": list(success_metrics)}
    parts = [
        {
            "id": f"execute_{number}",
            "agent": agent,
            "title": f"Carry out: {objective}"[:200],
            "needs": ["plan"],
            "with": {"prompt": f"Carry out your part of the plan for: {objective}", **known},
        }
        for number, agent in enumerate(stakeholders, 1)
    ]
    plan = {"id": "plan", "agent": lead, "with": {"prompt": f"Plan how to reach: {objective}", **known}}
    review = {
        "id": "review",
        "agent": lead,
        "needs": [str(part["id"]) for part in parts],
        "with": {"prompt": f"Review by the success metrics whether this was reached: {objective}", **known},
    }
    steps = [plan, *parts, review]
    return Workflow.from_json({"name": f"intent_{key}", "title": objective[:200], "steps": steps})


def _somebody(agents: Sequence[str]) -> None:
    if not agents:
        raise InvalidInput("Name at least one agent that works on it.")


def _id(agent: str, taken: set[str]) -> str:
    """A step's id made of an agent's address, another one where it is taken."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", agent)[:56]
    number = 1
    found = plain
    while found in taken:
        number += 1
        found = f"{plain}-{number}"
    taken.add(found)
    return found
