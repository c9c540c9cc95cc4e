"""What makes a run's calls of tools and models beside it, so that it need not wait for them in its own turn.

A run has as many workers as it makes such calls at a time: `workflow-worker:<run id>.<k>`. Each attempt is the run's
affair, so a call that fails is an answer here, not a reason to try again.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from aos.agents import Agent, NoState, Turn, on
from aos.kernel.errors import AosError, InfrastructureError, InvalidInput, NeedsAnswer, PermissionDenied
from aos.kernel.policy import AgentPolicy
from aos.kernel.turn import ERROR_TYPE
from aos.tools.declaration import Tool
from aos.tools.tool_source import Further
from aos.tools.toolbox import Toolbox
from aos.workflows.messages import RUN_TYPE, WORKER_RUN, WORKER_TYPE


class WorkerCall(BaseModel):
    """One call: of `tool` with `arguments`, or of a model with `prompt`."""

    model_config = ConfigDict(frozen=True)

    tool: str | None = None
    arguments: dict[str, Any] = {}
    permissions: tuple[str, ...] = ()
    prompt: str | None = None
    system: str | None = None
    response_schema: dict[str, Any] | None = None
    route: str | None = None


class WorkerResult(BaseModel):
    """What a call brought, and what it cost."""

    output: Any = None
    cost_usd: float = 0.0
    tokens: int = 0


class WorkflowWorker(Agent[NoState]):
    """Makes one call after another for a run."""

    type = WORKER_TYPE
    name = "Workflow worker"
    purpose = "Call tools and models for the steps of workflows"
    listed = False
    policy = AgentPolicy(message_timeout=540.0)

    @property
    def tools(self) -> tuple[Tool | str, ...]:  # type: ignore[override]  # others say it once, in the class
        """All there are: which one is called is up to the workflow, and calls of any may have to be taken back."""
        return tuple(self.surroundings.tools)

    @on(WORKER_RUN)
    async def run(self, turn: Turn, _: NoState, call: WorkerCall) -> WorkerResult | None:
        _check_run(turn)
        try:
            return await (self._call_tool(turn, call) if call.tool is not None else _ask_model(turn, call))
        except (InfrastructureError, NeedsAnswer):
            raise
        except AosError as error:
            turn.reply_error(error)
            return None

    async def _call_tool(self, turn: Turn, call: WorkerCall) -> WorkerResult | None:
        name = call.tool or ""
        registry = self.surroundings.tools
        is_here = any(tool.name == name for tool in registry)
        granted = registry.granted((name,)) if is_here else {}
        further = Further(self.surroundings.servers, () if is_here else (name,))
        box = Toolbox(turn, granted, registry, self.guardrail, frozenset(call.permissions), further)
        (seen,) = await box.observe([(name, call.arguments)])
        if seen.ok:
            return WorkerResult(output=seen.result, cost_usd=_spent(turn))
        turn.reply(dict(seen.error or {}), type=ERROR_TYPE)
        return None


def _check_run(turn: Turn) -> None:
    """Only its run may give it something to do: what a workflow may call was checked, what others want was not."""
    run_id = turn.agent.partition(":")[2].rpartition(".")[0]
    if turn.message.source != f"{RUN_TYPE}:{run_id}":
        raise PermissionDenied(f"{turn.agent!r} makes calls for its run only, not for {turn.message.source!r}.")


async def _ask_model(turn: Turn, call: WorkerCall) -> WorkerResult:
    from aos.llm.request import ModelRequest, ResponseFormat
    from aos.llm.route import Route

    wanted = None if call.response_schema is None else ResponseFormat(json_schema=call.response_schema)
    request = ModelRequest.ask(call.prompt or "", system=call.system, response_format=wanted)
    route = None if call.route is None else Route(models=(call.route,))
    response = await turn.think(request, route=route)
    if wanted is not None and response.parsed is None:
        raise InvalidInput("The model's answer does not have the structure that was asked for.", code="answer_invalid")
    return WorkerResult(
        output=response.text if wanted is None else response.parsed,
        cost_usd=_spent(turn),
        tokens=response.usage.total_tokens,
    )


def _spent(turn: Turn) -> float:
    return float(turn.done.usage.get("model_cost_usd", 0.0))
