"""The agent that plans workflows for goals: by a model where one is configured, by a template otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aos.agents import Agent, Turn, on
from aos.kernel.errors import AosError, InfrastructureError, InvalidInput, SettingMissing
from aos.workflows.definition.known import KnownNames
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.planning.candidates import Candidates
from aos.workflows.planning.composing import from_goal, from_intent
from aos.workflows.planning.model_planner import plan_with_model
from aos.workflows.planning.selection import Candidate, ScoringSelector, Wanted

if TYPE_CHECKING:
    from aos.llm.request import ModelRequest
    from aos.llm.response import ModelResponse

PLANNER_TYPE = "planner"
PLAN = "workflow.plan"
By = Literal["model", "phases", "intent"]


class PlanRequest(BaseModel):
    """A goal that a workflow is wanted for.

    Attributes:
        goal: What is to be reached.
        agents: Who may work on it; those that fit, where none are named.
        by: `model`; `phases` (research, analysis, execution, validation, by the agents in turn); `intent` (the first
            agent plans, each carries out its part, the first reviews). A model where one is configured, else phases.
        constraints, context: What every step has to keep to, and should know.
        timeline, success_metrics: For an intent.
    """

    model_config = ConfigDict(extra="forbid")

    goal: str = Field(min_length=1, max_length=10_000)
    agents: list[str] = Field(default_factory=list, max_length=15)
    by: By | None = None
    constraints: dict[str, Any] = Field(default_factory=dict)
    context: dict[str, Any] = Field(default_factory=dict)
    timeline: str | None = Field(default=None, max_length=200)
    success_metrics: list[str] = Field(default_factory=list, max_length=50)


class Planned(BaseModel):
    """A workflow for a goal. It is kept, and can be run by its name.

    Attributes:
        name, version, digest: Which workflow it is.
        workflow: What it says.
        by: How it was planned.
        tries: Of the model.
        notes: What is to be known of it.
    """

    name: str
    version: str
    digest: str
    workflow: dict[str, Any]
    by: By
    tries: int = 0
    notes: list[str] = []


class PlannerState(BaseModel):
    """How many workflows were planned."""

    planned: int = 0


class PlannerAgent(Agent[PlannerState]):
    """Plans workflows.

    Args:
        candidates: Gives the agents there are.
        store: Keeps what was planned.
    """

    type = PLANNER_TYPE
    name = "Planner"
    purpose = "Find a way to a goal that can be walked"
    listed = False

    def __init__(self, candidates: Callable[[], Candidates], store: WorkflowStore) -> None:
        super().__init__()
        self._candidates = candidates
        self._store = store

    @on(PLAN)
    async def plan(self, turn: Turn, state: PlannerState, asked: PlanRequest) -> Planned:
        candidates = _chosen(asked, await self._known(turn))
        key = turn.idempotency_key("plan")[:8]
        by = asked.by or ("model" if turn.can_think else "phases")
        notes: list[str] = []
        tries = 0
        workflow: Workflow | None = None
        if by == "model":
            workflow, tries, note = await self._by_model(turn, asked, candidates, key)
            notes += [note] if note else []
        if workflow is None:
            by = asked.by if asked.by in ("phases", "intent") else "phases"
            workflow = _by_template(by, asked, [candidate.agent for candidate in candidates], key)
        kept = workflow
        await turn.step("keep", lambda: self._keep(kept))
        state.planned += 1
        turn.decide(
            f"How is this reached? {asked.goal}"[:500],
            workflow.name,
            rationale=f"Planned by {by}, with {len(workflow.steps)} steps. {' '.join(notes)}".strip(),
            alternatives=[{"agent": candidate.agent} for candidate in candidates],
        )
        return Planned(
            name=workflow.name,
            version=workflow.version,
            digest=workflow.digest,
            workflow=workflow.to_json(),
            by=by,
            tries=tries,
            notes=notes,
        )

    async def _known(self, turn: Turn) -> list[Candidate]:
        async def look() -> list[dict[str, Any]]:
            return [_to_json(candidate) for candidate in await self._candidates().all()]

        return [_from_json(found) for found in await turn.step("candidates", look)]

    async def _by_model(
        self, turn: Turn, asked: PlanRequest, candidates: Sequence[Candidate], key: str
    ) -> tuple[Workflow | None, int, str]:
        """The model's workflow; None and why, where it planned none that can run and none was insisted on."""
        if not turn.can_think:
            raise SettingMissing(
                "No AI model is configured to plan. Set a provider's API key in the app settings, or ask for `phases` "
                "or an `intent`.",
                code="no_model_configured",
            )

        async def think(request: ModelRequest) -> ModelResponse:
            return await turn.think(request, name="plan")

        known = KnownNames(agents={candidate.agent for candidate in candidates})
        try:
            found = await plan_with_model(asked.goal, candidates, known, think, name=f"planned_{key}")
        except InfrastructureError:
            raise
        except AosError as error:
            if asked.by == "model":
                raise
            turn.record("plan.failed", code=error.code, message=error.message)
            return None, 0, f"The model planned nothing that can run ({error.code}), so a template was taken."
        return found.workflow, found.tries, ""

    async def _keep(self, workflow: Workflow) -> str:
        await self._store.put(workflow, by=PLANNER_TYPE)
        return workflow.digest


def _chosen(asked: PlanRequest, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The named agents; else those that fit the goal's words; else all that are available."""
    there = ", ".join(sorted(candidate.agent for candidate in candidates)) or "none"
    if asked.agents:
        by_name = {candidate.agent: candidate for candidate in candidates}
        unknown = [name for name in asked.agents if name.partition(":")[0] not in by_name]
        if unknown:
            raise InvalidInput(f"No agent {', '.join(unknown)} does steps of work. There are: {there}.")
        return [by_name.get(name) or Candidate(name) for name in dict.fromkeys(asked.agents)]
    available = [candidate for candidate in candidates if candidate.available]
    if not available:
        raise InvalidInput(f"No agent that does steps of work is available. There are: {there}.", code="no_agent_fits")
    fitting = {choice.agent for choice in ScoringSelector().select(Wanted(asked.goal), available).chosen}
    return [candidate for candidate in available if candidate.agent in fitting] or available


def _by_template(by: str, asked: PlanRequest, agents: Sequence[str], key: str) -> Workflow:
    if by == "intent":
        metrics = asked.success_metrics
        return from_intent(asked.goal, agents, key=key, timeline=asked.timeline, success_metrics=metrics)
    return from_goal(asked.goal, agents, key=key, constraints=asked.constraints, context=asked.context)


def _to_json(candidate: Candidate) -> dict[str, Any]:
    found = asdict(candidate)
    return {**found, "capabilities": sorted(candidate.capabilities), "domains": sorted(candidate.domains)}


def _from_json(found: dict[str, Any]) -> Candidate:
    sets = {name: frozenset(found[name]) for name in ("capabilities", "domains")}
    return Candidate(**{**found, **sets})
