"""The lists of a system: read models that the kernel's commits feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from aos.agents.agent_index import AgentIndex
from aos.agents.conversations.formal_index import FormalIndex
from aos.agents.questions import QuestionIndex
from aos.kernel.behaviour import EntryProjection, Projection
from aos.kernel.ports import Clock, TableStore
from aos.workflows.human.request_index import RequestIndex
from aos.workflows.run_index import RunIndex
from aos.workflows.tasks.task_index import TaskIndex
from aos.workflows.teams.team_index import TeamIndex


@dataclass(frozen=True, slots=True)
class ReadModels:
    """One list of each kind."""

    agents: AgentIndex
    tasks: TaskIndex
    runs: RunIndex
    teams: TeamIndex
    requests: RequestIndex
    questions: QuestionIndex
    formal_conversations: FormalIndex

    @classmethod
    def over(cls, tables: TableStore, clock: Clock) -> Self:
        """The lists in these tables."""
        return cls(
            agents=AgentIndex(tables),
            tasks=TaskIndex(tables, clock),
            runs=RunIndex(tables, clock),
            teams=TeamIndex(tables),
            requests=RequestIndex(tables),
            questions=QuestionIndex(tables),
            formal_conversations=FormalIndex(tables),
        )

    @property
    def projections(self) -> tuple[Projection | EntryProjection, ...]:
        """All of them, for the kernel to feed."""
        return (
            self.agents,
            self.tasks,
            self.runs,
            self.teams,
            self.requests,
            self.questions,
            self.formal_conversations,
        )
