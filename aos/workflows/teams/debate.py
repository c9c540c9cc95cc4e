"""A debate: positions side by side, round by round; then the judge decides, or the most do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.agents.work import Contribution
from aos.workflows.teams.ballot import tally
from aos.workflows.teams.definition import Debate
from aos.workflows.teams.play import WAIT, Finish, Move, Question, Table, failed


class DebatePlay:
    """Whoever does not answer has no position in that round; somebody must."""

    def __init__(self, team: Debate) -> None:
        self._team = team
        self._debaters = tuple(member.name for member in team.members if member.name != team.judge)

    def begin(self, table: Table) -> Move:
        return self._round(table, 1)

    def heard(self, table: Table, who: str, said: Contribution) -> Move:
        memo = table.memo
        if memo["stage"] == "judge":
            return self._judged(table, said)
        memo["open"].remove(who)
        if memo["stage"] == "vote":
            if said.vote in memo["took_part"]:
                memo["votes"][who] = said.vote
            return WAIT if memo["open"] else self._counted(table)
        if who not in memo["took_part"]:
            memo["took_part"].append(who)
        keeps = {who: said.content if said.data is None else said.data}
        return Move((), keeps) if memo["open"] else self._after_round(table, keeps)

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:
        memo = table.memo
        if memo["stage"] == "judge":
            return failed(who, error)
        memo["open"].remove(who)
        if memo["open"]:
            return WAIT
        if memo["stage"] == "vote":
            return self._counted(table)
        return self._after_round(table, {}) if memo["took_part"] else failed(who, error)

    def _round(self, table: Table, number: int, keeps: Mapping[str, Any] | None = None) -> Move:
        took_part = table.memo.get("took_part", [])
        table.memo.update(stage="round", round=number, open=list(self._debaters), took_part=took_part)
        what = "Take a position." if number == 1 else "Answer the others; keep your position or change it."
        prompt = f"{table.task}\n\nRound {number} of {self._team.rounds}. {what}"
        return Move([Question(name, prompt) for name in self._debaters], keeps or {})

    def _after_round(self, table: Table, keeps: Mapping[str, Any]) -> Move:
        memo = table.memo
        if memo["round"] < self._team.rounds:
            return self._round(table, memo["round"] + 1, keeps)
        positions = tuple(memo["took_part"])
        if self._team.judge is not None:
            memo.update(stage="judge")
            prompt = f"{table.task}\n\nDecide the debate: say what is right, and name whose position comes closest."
            return Move([Question(self._team.judge, prompt, "vote", positions, positions)], keeps)
        memo.update(stage="vote", open=list(self._debaters), votes={})
        prompt = f"{table.task}\n\nWhose position is the best?"
        return Move([Question(name, prompt, "vote", positions, positions) for name in self._debaters], keeps)

    def _judged(self, table: Table, said: Contribution) -> Move:
        winner = said.vote if said.vote in table.memo["took_part"] else None
        decision = {
            "question": table.task,
            "selected": winner or said.content,
            "rationale": said.content,
            "alternatives": [{"position": name} for name in table.memo["took_part"] if name != winner],
            "confidence": said.confidence,
        }
        output = said.content if said.data is None else said.data
        return Move(finish=Finish(True, True, "judged", output=output, decision=decision))

    def _counted(self, table: Table) -> Move:
        weights = {member.name: member.weight for member in self._team.members}
        ballot = tally({who: (vote, weights[who]) for who, vote in table.memo["votes"].items()})
        winner = ballot.leader_above(0.5)
        if winner is None:
            return Move(finish=Finish(False, False, "no_majority", output=ballot.shares, scores=ballot.shares))
        decision = {
            "question": table.task,
            "selected": winner,
            "rationale": f"{ballot.shares[winner]:.0%} of the votes were for it.",
            "alternatives": [{"position": name, "share": share} for name, share in ballot.shares.items()],
            "confidence": ballot.shares[winner],
        }
        finish = Finish(True, True, "voted", outputs=(winner,), scores=ballot.shares, decision=decision)
        return Move(finish=finish)
