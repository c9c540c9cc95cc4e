"""Work that is measured, and done again until it is good enough or there have been enough tries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aos.agents.work import Contribution
from aos.workflows.teams.definition import Judged
from aos.workflows.teams.play import Finish, Move, Question, Table, failed
from aos.workflows.teams.rubric import Assessment, assess

WORK = "work"
"""Name under which the latest work is kept."""


class JudgedPlay:
    """The producer and the judge in turn; where all criteria check themselves, the producer alone."""

    def __init__(self, team: Judged) -> None:
        self._team = team

    def begin(self, table: Table) -> Move:
        table.memo.update(tries=1)
        return Move([Question(self._team.producer, table.task)])

    def heard(self, table: Table, who: str, said: Contribution) -> Move:  # noqa: ARG002  # the stage says who it was
        checked = table.memo.pop("checked", None)
        if checked is not None:
            return self._measured(table, checked, dict(said.scores), said.content, {})
        checked = self._team.rubric.check(said.content, said.data)
        work = {WORK: said.content if said.data is None else said.data}
        criteria = self._team.rubric.for_the_judge
        if self._team.judge is None or not criteria:
            return self._measured(table, checked, {}, "", work)
        table.memo["checked"] = checked
        listed = "\n".join(f"- {criterion.name}: {criterion.description}" for criterion in criteria)
        prompt = f"Score the last work on this task, each criterion from 0 to 1:\n{listed}\n\nThe task: {table.task}"
        names = tuple(criterion.name for criterion in criteria)
        return Move([Question(self._team.judge, prompt, "scores", names, (WORK,))], work)

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:  # noqa: ARG002  # the protocol's shape
        return failed(who, error)

    def _measured(
        self,
        table: Table,
        checked: Mapping[str, Sequence[str]],
        judged: Mapping[str, float],
        remarks: str,
        keeps: Mapping[str, Any],
    ) -> Move:
        measured = assess(self._team.rubric, checked, judged, remarks)
        scores = {"score": measured.score, "tries": table.memo["tries"], **measured.scores}
        if measured.passed:
            decision = self._decision(table, measured, "passed")
            return Move((), keeps, Finish(True, True, "passed", kept=WORK, scores=scores, decision=decision))
        if table.memo["tries"] >= self._team.tries:
            decision = self._decision(table, measured, "rejected")
            return Move((), keeps, Finish(False, False, "not_passed", kept=WORK, scores=scores, decision=decision))
        table.memo["tries"] += 1
        better = "\n".join(f"- {fault}" for fault in measured.faults)
        prompt = f"{table.task}\n\nYour last work scored {measured.score:.2f} of 1. Do it again, better:\n{better}"
        return Move([Question(self._team.producer, prompt)], keeps)

    def _decision(self, table: Table, measured: Assessment, selected: str) -> dict[str, Any]:
        faults = " ".join(measured.faults)
        return {
            "question": f"Is the work good enough? {table.task}",
            "selected": selected,
            "rationale": f"It scored {measured.score:.2f} of {self._team.rubric.pass_mark:.2f}. {faults}".strip(),
            "alternatives": [{"criterion": name, "score": score} for name, score in measured.scores.items()],
            "confidence": measured.score,
        }
