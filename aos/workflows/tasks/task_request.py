"""What a business app asks for when it submits a task."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aos.workflows.planning.execution import Coordination, ExecutionMode, Overrides


class TaskRequest(BaseModel):
    """A piece of work.

    Attributes:
        task_type: What kind of work it is: the name of a workflow, or what an agent can do.
        title: One line.
        description: What is wanted, for people and agents.
        target: What it is about; agents remember by it.
        parameters: What this kind of task takes.
        priority: 1 to 10.
        owner: Who asked.
        deadline: When it has to be done.
        budget: US dollars it may cost.
        callback_url: Where its end is told, signed.
        reference: The caller's own name for it; told with its end.
        auto_execute: Begin at once; otherwise it waits for `execute`.
        workflow: Done by this workflow (`name`, or `name@version`), whatever the type.
        agents: Done by these agents.
        required_capabilities: Done by agents that can do these.
        domain: Done by agents of this domain.
        mode, coordination: In place of what the planner would choose.
    """

    model_config = ConfigDict(extra="forbid")

    task_type: str = Field(min_length=1, max_length=100)
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    target: str = Field(min_length=1, max_length=1_000)
    parameters: dict[str, Any] = Field(default_factory=dict)
    priority: int = Field(default=5, ge=1, le=10)
    owner: str = Field(default="anonymous", max_length=200)
    deadline: datetime | None = None
    budget: float | None = Field(default=None, gt=0)
    callback_url: str | None = Field(default=None, max_length=2_000)
    reference: str | None = Field(default=None, max_length=200)
    auto_execute: bool = True
    workflow: str | None = Field(default=None, max_length=100)
    agents: list[str] | None = Field(default=None, min_length=1, max_length=15)
    required_capabilities: list[str] = Field(default_factory=list, max_length=20)
    domain: str = Field(default="", max_length=100)
    mode: ExecutionMode | None = None
    coordination: Coordination | None = None

    @property
    def text(self) -> str:
        """All its words."""
        return f"{self.title} {self.description}".strip()

    @property
    def overrides(self) -> Overrides:
        """What the caller decided himself."""
        agents = None if self.agents is None else tuple(self.agents)
        return Overrides(self.mode, self.coordination, agents)
