"""A boardroom: members vote on a motion; a quorum makes it valid, a majority by weight decides, else the chair does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.agents.work import Contribution
from aos.kernel.message import format_time
from aos.workflows.teams.ballot import Ballot, tally
from aos.workflows.teams.definition import Boardroom
from aos.workflows.teams.play import WAIT, Finish, Move, Question, Table

_MOST_RATIONALE = 1_000
"""Characters of the reason for a vote that the record has; the transcript has all."""
_MOST_VOTE = 200


class BoardroomPlay:
    """Everybody is asked at once; who has not voted by the deadline has not voted."""

    def __init__(self, team: Boardroom) -> None:
        self._team = team
        self._carrying = team.decisive or team.options[:1]

    def begin(self, table: Table) -> Move:
        names = [member.name for member in self._team.members]
        table.memo.update(stage="vote", open=names, votes={}, invalid={})
        prompt = f"The motion: {table.task}\n\nVote for one of: {', '.join(self._team.options)}. Say why."
        return Move([Question(name, prompt, "vote", self._team.options) for name in names])

    def heard(self, table: Table, who: str, said: Contribution) -> Move:
        memo = table.memo
        if memo["stage"] == "chair":
            return self._chaired(table, who, said)
        memo["open"].remove(who)
        if said.vote in self._team.options:
            memo["votes"][who] = _vote(said)
        else:
            memo["invalid"][who] = str(said.vote)[:_MOST_VOTE]
        return WAIT if memo["open"] else self._decide(table)

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:  # noqa: ARG002  # a vote not given
        if table.memo["stage"] == "chair":
            return self._expired(table, "no_majority", self._ballot(table))
        table.memo["open"].remove(who)
        return WAIT if table.memo["open"] else self._decide(table)

    def _ballot(self, table: Table) -> Ballot:
        votes = table.memo["votes"]
        return tally({who: (vote["vote"], self._team.member(who).weight) for who, vote in votes.items()})

    def _decide(self, table: Table) -> Move:
        ballot = self._ballot(table)
        present = ballot.given / sum(member.weight for member in self._team.members)
        if present < self._team.quorum - 1e-9:
            return self._expired(table, "no_quorum", ballot)
        winner = ballot.leader_above(self._team.majority)
        chair = self._team.chair
        if winner is not None:
            return self._decided(table, winner, ballot, f"{ballot.shares[winner]:.0%} of the given votes were for it.")
        if chair is None:
            return self._expired(table, "no_majority", ballot)
        if chair in table.memo["votes"]:
            return self._decided(table, table.memo["votes"][chair]["vote"], ballot, "The chair's vote decided.")
        table.memo["stage"] = "chair"
        prompt = f"The motion: {table.task}\n\nNo option has the majority. Decide: {', '.join(self._team.options)}."
        return Move([Question(chair, prompt, "vote", self._team.options)])

    def _chaired(self, table: Table, who: str, said: Contribution) -> Move:
        ballot = self._ballot(table)
        if said.vote not in self._team.options:
            return self._expired(table, "no_majority", ballot)
        table.memo["votes"][who] = _vote(said)
        return self._decided(table, str(said.vote), ballot, "The chair decided.")

    def _decided(self, table: Table, winner: str, ballot: Ballot, why: str) -> Move:
        reasons = [vote["rationale"] for vote in table.memo["votes"].values() if vote["vote"] == winner]
        rationale = " ".join([why, *(reason for reason in reasons if reason)])
        record = self._record(table, winner, ballot, "pending")
        decision = {
            "question": table.task,
            "selected": winner,
            "rationale": rationale,
            "alternatives": [{"option": option, "share": share} for option, share in ballot.shares.items()],
            "confidence": record["confidence_score"],
        }
        carried = winner in self._carrying
        finish = Finish(True, carried, "decided", output=record, scores=ballot.shares, decision=decision)
        return Move(finish=finish)

    def _expired(self, table: Table, reason: str, ballot: Ballot) -> Move:
        record = self._record(table, None, ballot, "expired")
        return Move(
            finish=Finish(False, False, reason, output=record, scores=ballot.shares, escalate_to=self._team.escalate_to)
        )

    def _record(self, table: Table, outcome: str | None, ballot: Ballot, status: str) -> dict[str, Any]:
        """The decision record: share of the outcome, times how sure its voters were, is the confidence."""
        memo = table.memo
        sure = [
            vote["confidence"]
            for vote in memo["votes"].values()
            if vote["vote"] == outcome and vote["confidence"] is not None
        ]
        share = ballot.shares.get(outcome, 0.0) if outcome else 0.0
        return {
            "decision_id": f"{table.id}:decision",
            "topic": table.task,
            "decision_type": "boardroom",
            "participants": [
                {
                    "member": member.name,
                    "role": member.role,
                    "weight": member.weight,
                    **memo["votes"].get(member.name, {}),
                }
                for member in self._team.members
            ],
            "outcome": outcome,
            "confidence_score": round(share * (sum(sure) / len(sure) if sure else 1.0), 4),
            "timestamp": format_time(table.now),
            "implementation_status": status,
            "invalid_votes": dict(memo["invalid"]),
        }


def _vote(said: Contribution) -> dict[str, Any]:
    return {"vote": said.vote, "rationale": said.content[:_MOST_RATIONALE], "confidence": said.confidence}
