"""How a request is carried out: by one agent or several, with or without systems outside, and in which order.

Everything is a rule that the plan names; whatever the caller states himself wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.planning.complexity import Complexity, Level, judge
from aos.workflows.planning.selection import Candidate, ScoringSelector, Selection, Selector, Wanted


class ExecutionMode(StrEnum):
    """Who carries a request out: `azure_workflow` is a declared workflow, the others are composed for it."""

    SINGLE_AGENT = "single_agent"
    MULTI_AGENT = "multi_agent"
    MCP_INTEGRATION = "mcp_integration"
    AZURE_WORKFLOW = "azure_workflow"
    HYBRID = "hybrid"


class Coordination(StrEnum):
    """In which order several agents work."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    HIERARCHICAL = "hierarchical"
    COLLABORATIVE = "collaborative"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller decided himself. None leaves it to the rules."""

    mode: ExecutionMode | None = None
    coordination: Coordination | None = None
    agents: tuple[str, ...] | None = None
    workflow: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """How a request is carried out.

    Attributes:
        mode, coordination: By whom, and in which order.
        agents: Who takes part, in the order of their steps.
        servers: MCP servers whose tools are at hand.
        workflow: The declared workflow, where there is one.
        complexity: What the request's words said.
        selection: How the agents were chosen, where they were.
        reasons: Why it is done so, a sentence each.
    """

    mode: ExecutionMode
    coordination: Coordination
    agents: tuple[str, ...]
    servers: tuple[str, ...]
    workflow: str | None
    complexity: Complexity
    selection: Selection | None = None
    reasons: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As it is shown with a result, without how far it got."""
        return {
            "execution_mode": self.mode.value,
            "coordination_mode": self.coordination.value,
            "participating_agents": list(self.agents),
            "participating_mcp": list(self.servers),
            "workflow": self.workflow,
            "complexity_analysis": self.complexity.to_json(),
            "selection": [
                {"agent": choice.agent, "score": choice.score, "reason": choice.reason}
                for choice in (self.selection.chosen if self.selection else ())
            ],
            "reasons": list(self.reasons),
        }

    def orchestration(self, execution_id: str, steps_completed: int, at: datetime) -> dict[str, Any]:
        """What a result says about how it came to be."""
        return {
            "execution_id": execution_id,
            **self.to_json(),
            "steps_completed": steps_completed,
            "orchestrated_at": at.isoformat(),
        }


_ORDER = {
    Level.SIMPLE: Coordination.SEQUENTIAL,
    Level.MODERATE: Coordination.PARALLEL,
    Level.COMPLEX: Coordination.COLLABORATIVE,
}


def plan(
    wanted: Wanted,
    candidates: Sequence[Candidate],
    *,
    servers: Sequence[str] = (),
    overrides: Overrides | None = None,
    selector: Selector | None = None,
) -> ExecutionPlan:
    """Decide how a request is carried out.

    Args:
        wanted: What is asked.
        candidates: The agents there are.
        servers: Names of the MCP servers there are.
        overrides: What the caller decided himself.
        selector: Chooses agents; by score unless given.

    Raises:
        InvalidInput: no agent has to do with it, one that was named does not exist, or a wanted capability is one
            that nobody has.
    """
    stated = overrides or Overrides()
    complexity = judge(wanted.text)
    coordination = stated.coordination or _ORDER[complexity.level]
    if stated.workflow is not None:
        reason = f"The workflow {stated.workflow!r} was asked for."
        return ExecutionPlan(
            ExecutionMode.AZURE_WORKFLOW, coordination, (), (), stated.workflow, complexity, None, (reason,)
        )
    mode, reasons = _mode(complexity, stated, bool(servers))
    if stated.agents is not None:
        agents, selection = _named(stated.agents, candidates), None
        reasons.append("The agents were named.")
    else:
        selection = _selected(wanted, candidates, selector or ScoringSelector())
        agents = tuple(choice.agent for choice in selection.chosen)
        if mode in (ExecutionMode.SINGLE_AGENT, ExecutionMode.MCP_INTEGRATION) and not wanted.capabilities:
            agents = agents[:1]
    if mode is ExecutionMode.SINGLE_AGENT and len(agents) > 1:
        mode = ExecutionMode.MULTI_AGENT
        reasons.append(f"It takes {len(agents)} agents, so several work on it.")
    outside = tuple(servers) if mode in (ExecutionMode.MCP_INTEGRATION, ExecutionMode.HYBRID) else ()
    reasons.append(f"It is {complexity.level.value}, so the order is {coordination.value}.")
    return ExecutionPlan(mode, coordination, agents, outside, None, complexity, selection, tuple(reasons))


def _mode(complexity: Complexity, stated: Overrides, has_servers: bool) -> tuple[ExecutionMode, list[str]]:
    if stated.mode is not None:
        return stated.mode, [f"The mode {stated.mode.value!r} was asked for."]
    mcp = complexity.mcp and has_servers
    reasons = []
    if complexity.words:
        reasons.append("Its words say how hard it is: " + ", ".join(complexity.words) + ".")
    if complexity.mcp:
        words = ", ".join(complexity.outside)
        reasons.append(
            f"Its words call for systems outside ({words})" + ("." if mcp else ", but no MCP server is configured.")
        )
    if complexity.multi_agent:
        return (ExecutionMode.HYBRID if mcp else ExecutionMode.MULTI_AGENT), reasons
    return (ExecutionMode.MCP_INTEGRATION if mcp else ExecutionMode.SINGLE_AGENT), reasons


def _named(agents: Sequence[str], candidates: Sequence[Candidate]) -> tuple[str, ...]:
    known = {candidate.agent for candidate in candidates}
    unknown = [agent for agent in agents if agent not in known and agent.partition(":")[0] not in known]
    there = ", ".join(sorted(known)) or "none"
    if not agents:
        raise InvalidInput(f"`agents` is empty. Name some, or leave it out to have them chosen. There are: {there}.")
    if unknown:
        raise InvalidInput(f"There is no agent {', '.join(unknown)}. There are: {there}.")
    return tuple(dict.fromkeys(agents))


def _selected(wanted: Wanted, candidates: Sequence[Candidate], selector: Selector) -> Selection:
    selection = selector.select(wanted, candidates)
    if selection.missing:
        raise InvalidInput(
            f"No available agent can do {', '.join(sorted(selection.missing))}. Register one with this capability, or "
            "ask for others.",
            code="capability_missing",
        )
    if not selection.chosen:
        there = ", ".join(sorted(candidate.agent for candidate in candidates)) or "none"
        raise InvalidInput(
            f"No agent has to do with this. Name `agents`, `required_capabilities` or a `domain`. There are: {there}.",
            code="no_agent_fits",
        )
    return selection
