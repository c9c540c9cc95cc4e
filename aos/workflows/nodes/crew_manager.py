"""A crew of nodes with roles and goals, within one process. Teams that outlive it are `aos.workflows.teams`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.tools.node import Node, NodeResult, NodeTask

AGENT_NOT_FOUND = "AGENT_NOT_FOUND"


@dataclass(slots=True)
class _Place:
    node: Node
    role: str | None
    goal: str | None
    status: str = "idle"
    handled: int = 0


class CrewManager:
    """A roster of nodes.

    A task names its agent in the payload, as `agent_id`; one that names none goes to the control node. An agent is told
    its role and goal in the payload, as `role` and `goal`.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._control: Node | None = None

    async def initialize(self) -> None:
        """Prepare all nodes."""
        for place in self._places.values():
            await place.node.initialize()

    def register_agent(self, agent_id: str, node: Node, role: str | None = None, goal: str | None = None) -> None:
        """Put a node on the roster, in place of one of the same id."""
        self._places[agent_id] = _Place(node, role, goal)

    def deregister_agent(self, agent_id: str) -> bool:
        """Take a node off the roster. False if it was not on it."""
        return self._places.pop(agent_id, None) is not None

    def assign_role(self, agent_id: str, role: str) -> bool:
        """Give an agent a role. False if it is not on the roster."""
        return self._assign(agent_id, role=role)

    def assign_goal(self, agent_id: str, goal: str) -> bool:
        """Give an agent a goal. False if it is not on the roster."""
        return self._assign(agent_id, goal=goal)

    def set_control_node(self, node: Node) -> None:
        """Have this node do the tasks that name no agent."""
        self._control = node

    def get_roster(self) -> dict[str, dict[str, Any]]:
        """Role, goal and status (`idle` or `busy`) of each agent."""
        return {
            agent_id: {"role": place.role, "goal": place.goal, "status": place.status}
            for agent_id, place in self._places.items()
        }

    async def handle(self, task: NodeTask) -> NodeResult:
        """Have the named agent, or the control node, do a task; `AGENT_NOT_FOUND` where there is neither."""
        agent_id = task.payload.get("agent_id")
        place = self._places.get(str(agent_id))
        if agent_id is None and self._control is not None:
            return await self._control.handle(task)
        if place is None:
            known = ", ".join(self._places) or "nobody"
            return NodeResult(
                success=False,
                result=f"There is no agent {agent_id!r} in the crew. There is: {known}.",
                error=AGENT_NOT_FOUND,
            )
        told = {name: value for name, value in (("role", place.role), ("goal", place.goal)) if value is not None}
        place.status, place.handled = "busy", place.handled + 1
        try:
            return await place.node.handle(
                NodeTask(task_type=task.task_type, payload={**told, **task.payload}, metadata=task.metadata)
            )
        finally:
            place.status = "idle"

    def get_stats(self) -> dict[str, Any]:
        """Tasks handled by each agent."""
        return {"agents": {agent_id: {"handled": place.handled} for agent_id, place in self._places.items()}}

    def _assign(self, agent_id: str, **told: str) -> bool:
        place = self._places.get(agent_id)
        if place is None:
            return False
        for name, value in told.items():
            setattr(place, name, value)
        return True
