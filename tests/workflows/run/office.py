"""A system with small scripted agents that do the steps of workflows, for the tests of this folder."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, NoState, Turn, on
from aos.agents.work import Work
from aos.kernel.errors import RetryableError, TerminalError
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.workflows.definition.workflow import Workflow
from tests.harness import MemorySystem


class Done(BaseModel):
    works: list[dict[str, Any]] = []
    cancelled: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []


class Hand(Agent[Done]):
    """Does what `with` says: `say` is the output, `fail` and `flaky` are errors, `hold` waits to be let go."""

    type = "hand"
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=1))

    @on("work.do")
    async def do(self, turn: Turn, state: Done, work: Work) -> Any:
        state.works.append(work.model_dump(mode="json"))
        wants = work.parameters
        tries = sum(done["idempotency_key"] == work.idempotency_key for done in state.works)
        if wants.get("silent"):
            return None
        if wants.get("hold"):
            state.held.append(turn.hold_reply() or {})
            return None
        if wants.get("fail") or tries <= wants.get("flaky", 0):
            error = TerminalError if wants.get("terminal") else RetryableError
            turn.reply_error(error(str(wants.get("fail") or "not yet"), code=wants.get("code")))
            return None
        return wants.get("say", f"{work.step} done")

    @on("work.cancel")
    async def cancel(self, turn: Turn, state: Done, data: dict[str, Any]) -> None:
        state.cancelled.append(data)

    @on("let.go")
    async def let_go(self, turn: Turn, state: Done, said: Any) -> None:
        turn.reply_to_held(state.held.pop(0), said)

    @on("workflow.progress")
    async def told(self, turn: Turn, state: Done, data: dict[str, Any]) -> None:
        state.told.append(data)


class Deaf(Agent[NoState]):
    """Handles steps, and nothing else."""

    type = "deaf"

    @on("work.do")
    async def do(self, turn: Turn, _: NoState, work: Work) -> None:
        return None


class Office(MemorySystem):
    """Runs workflows."""

    def __init__(self, *agents: Agent[Any], **options: Any) -> None:
        super().__init__(Hand(), Deaf(), *agents, **options)
        self.workflows = self.system.workflows

    async def define(self, steps: list[dict[str, Any]], *, name: str = "w", **more: Any) -> Workflow:
        workflow = Workflow.from_json({"name": name, "steps": steps, **more})
        assert not await self.system.definitions.check(workflow)
        await self.system.definitions.put(workflow)
        return workflow

    async def begin(self, steps: list[dict[str, Any]], given: dict[str, Any] | None = None, **more: Any) -> str:
        """Define and start, and let what is due at once happen."""
        start = {
            name: more.pop(name) for name in ("parent", "budget", "deadline", "options", "reply_to") if name in more
        }
        workflow = await self.define(steps, **more)
        run_id = await self.workflows.start(workflow.name, given, **start)
        await self.settle(until=timedelta(0))
        return run_id

    async def run(
        self, steps: list[dict[str, Any]], given: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Define, start and see through to the end."""
        run_id = await self.begin(steps, given, **more)
        await self.settle()
        return await self.workflows.result(run_id)

    async def works(self, agent: str = "hand") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.state(agent))["works"]
        return found

    async def steps(self, run_id: str) -> dict[str, str]:
        """Status of each step."""
        status = await self.workflows.status(run_id)
        return {id: step["status"] for id, step in status["steps"].items()}


def do(id: str, *needs: str, **more: Any) -> dict[str, Any]:
    """A step that the hand does; what is not a field of a step is for the hand."""
    fields = ("when", "retry", "timeout", "compensate", "optional", "agent", "title", "priority")
    own = {name: more.pop(name) for name in fields if name in more}
    return {"id": id, "agent": "hand", "needs": list(needs), "with": more, **own}
