"""A conversation: members speak in turn until one says the token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.agents.work import Contribution
from aos.workflows.teams.definition import Conversation, Handoff
from aos.workflows.teams.play import Finish, Move, Question, Table, failed


class ConversationPlay:
    """Round robin, or a selector who is asked before each contribution."""

    def __init__(self, team: Conversation) -> None:
        self._team = team
        self._speakers = tuple(member.name for member in team.members if member.name != team.selector)

    def begin(self, table: Table) -> Move:
        return self._next(table)

    def heard(self, table: Table, who: str, said: Contribution) -> Move:
        if who == self._team.selector:
            return Move([self._question(table, self._selected(table, said))])
        table.memo["missed"] = 0
        if self._approved(table, said):
            output = said.content.replace(self._team.token, "").strip()
            return Move(finish=Finish(True, True, "approved", output=output if said.data is None else said.data))
        if said.done:
            return Move(finish=Finish(True, False, "done", output=said.content if said.data is None else said.data))
        return self._next(table)

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:
        if who == self._team.selector:
            return Move([self._question(table, self._in_turn(table))])
        table.memo["missed"] = table.memo.get("missed", 0) + 1
        if table.memo["missed"] >= len(self._speakers):
            return failed(who, error)
        return self._next(table)

    def _next(self, table: Table) -> Move:
        if self._team.selector is None or self._team.speakers == "round_robin":
            return Move([self._question(table, self._in_turn(table))])
        prompt = f"{table.task}\n\nWho should speak next? Name one of: {', '.join(self._speakers)}."
        return Move([Question(self._team.selector, prompt, "speaker", self._speakers, aside=True)])

    def _question(self, table: Table, speaker: str) -> Question:
        table.memo["last"] = speaker
        ending = f" Say {self._team.token} when it is done." if self._team.token else ""
        return Question(speaker, f"{table.task}{ending}")

    def _in_turn(self, table: Table) -> str:
        last = table.memo.get("last")
        return self._speakers[(self._speakers.index(last) + 1) % len(self._speakers) if last else 0]

    def _selected(self, table: Table, said: Contribution) -> str:
        """Whom the selector named; who is next in turn where he named nobody that can speak."""
        named = said.handoff_to or said.content.strip()
        return named if named in self._speakers else self._in_turn(table)

    def _approved(self, table: Table, said: Contribution) -> bool:
        # The window has only the beginning of a long line; the token is at its end as a rule.
        lines = [said.content, *(str(line["content"]) for line in table.window[-self._team.token_window :])]
        return bool(self._team.token) and any(self._team.token in line for line in lines)


class HandoffPlay:
    """Whoever speaks names who goes on; the one who names nobody has done it."""

    def __init__(self, team: Handoff) -> None:
        self._team = team
        self._names = tuple(member.name for member in team.members)

    def begin(self, table: Table) -> Move:
        return Move([self._question(table, self._names[0])])

    def heard(self, table: Table, who: str, said: Contribution) -> Move:
        if said.handoff_to is None or said.done:
            output = said.content if said.data is None else said.data
            return Move(finish=Finish(True, False, "done", output=output))
        if said.handoff_to in self._names and said.handoff_to != who:
            table.memo.pop("corrected", None)
            return Move([self._question(table, said.handoff_to)])
        if table.memo.get("corrected") == who:
            unknown = {"message": f"it hands over to {said.handoff_to!r}, who is nobody else in the team"}
            return failed(who, unknown)
        table.memo["corrected"] = who
        wrong = f"There is nobody else called {said.handoff_to!r}. "
        return Move([self._question(table, who, wrong)])

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:  # noqa: ARG002  # the protocol's shape
        return failed(who, error)

    def _question(self, table: Table, who: str, wrong: str = "") -> Question:
        others = ", ".join(name for name in self._names if name != who)
        prompt = f"{wrong}{table.task}\n\nDo it, or hand over to one of: {others or 'nobody'}."
        return Question(who, prompt, options=self._names)
