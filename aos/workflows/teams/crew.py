"""A crew: tasks in order, each by the member in charge or by a team of its own; a manager may send work back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.agents.work import Contribution
from aos.workflows.teams.definition import Crew, CrewTask
from aos.workflows.teams.play import Delegation, Finish, Move, Question, Table, failed

ACCEPT, REVISE = "accept", "revise"


class CrewPlay:
    """Takes one task after the other."""

    def __init__(self, team: Crew) -> None:
        self._team = team
        self._workers = tuple(member.name for member in team.members if member.name != team.manager)

    def begin(self, table: Table) -> Move:
        table.memo.update(index=0, revisions=0)
        return Move([self._ask(0)])

    def heard(self, table: Table, who: str, said: Contribution) -> Move:
        index = table.memo["index"]
        task = self._team.tasks[index]
        if table.memo.pop("reviewing", False):
            return self._reviewed(table, index, said)
        work = said.content if said.data is None else said.data
        keeps = {task.id: work}
        if self._team.manager is not None:
            table.memo["reviewing"] = True
            return Move([self._review(self._team.manager, task, f"{who} did this: ")], keeps)
        return self._go_on(table, index, keeps)

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:  # noqa: ARG002  # the protocol's shape
        return failed(who, error)

    def _reviewed(self, table: Table, index: int, said: Contribution) -> Move:
        unclear = table.memo.pop("unclear", False)
        if said.vote == ACCEPT:
            return self._go_on(table, index, {})
        if said.vote != REVISE:
            return self._asked_again(table, index, unclear)
        table.memo["revisions"] += 1
        if table.memo["revisions"] > self._team.revisions:
            done = tuple(task.id for task in self._team.tasks[: index + 1])
            return Move(finish=Finish(False, False, "not_accepted", outputs=done))
        return Move([self._ask(index, f"Revise it. {said.content}\n\n", table.memo["revisions"])])

    def _asked_again(self, table: Table, index: int, unclear: bool) -> Move:
        """A manager who neither accepts nor sends back is told so once."""
        manager = self._team.manager or ""
        if unclear:
            return failed(manager, {"message": f"the vote on {self._team.tasks[index].id!r} is neither of the two"})
        table.memo.update(reviewing=True, unclear=True)
        return Move([self._review(manager, self._team.tasks[index], f"Vote {ACCEPT!r} or {REVISE!r}. ")])

    def _review(self, manager: str, task: CrewTask, opening: str) -> Question:
        prompt = f"{opening}{task.description}\n{_expected(task)}Accept it, or say what to revise."
        return Question(manager, prompt, "vote", (ACCEPT, REVISE), (task.id,))

    def _go_on(self, table: Table, index: int, keeps: Mapping[str, Any]) -> Move:
        table.memo.update(index=index + 1, revisions=0)
        if index + 1 < len(self._team.tasks):
            return Move([self._ask(index + 1)], keeps)
        everything = tuple(task.id for task in self._team.tasks)
        accepted = self._team.manager is not None
        return Move((), keeps, Finish(True, accepted, "completed", outputs=everything))

    def _ask(self, index: int, revision: str = "", revisions: int = 0) -> Question | Delegation:
        task = self._team.tasks[index]
        before = tuple(earlier.id for earlier in self._team.tasks[:index])
        shows = before if task.needs is None else task.needs
        shows = (*shows, task.id) if revision else shows
        prompt = f"{revision}{task.description}\n{_expected(task)}".strip()
        if task.team is not None:
            return Delegation(task.id, task.team, prompt, shows, attempt=revisions + 1)
        return Question(task.member or self._workers[index % len(self._workers)], prompt, shows=shows)


def _expected(task: CrewTask) -> str:
    return f"What should come of it: {task.expected}\n" if task.expected else ""
