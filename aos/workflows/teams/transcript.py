"""The transcript of a team: lines in rows that are only added to, and the newest of them as members are shown them."""

from __future__ import annotations

from typing import Any

from aos.agents.work import Contribution
from aos.kernel.turn import Turn
from aos.workflows.teams.team_state import LINE, TeamState, line_key

MOST_SHOWN = 4_000
"""Characters of a line that others are shown; the row has all."""
_NOTED = 500


def write(turn: Turn, state: TeamState, who: str, said: Contribution) -> None:
    """Append a line."""
    state.lines += 1
    line = {"number": state.lines, "who": who, "at": turn.now.isoformat(), **said.model_dump(mode="json")}
    turn.rows.put(line_key(state.lines), line)
    vote = None if said.vote is None else str(said.vote)[:_NOTED]
    turn.record("team.said", member=who, line=state.lines, vote=vote, content=said.content[:_NOTED])


async def newest(turn: Turn, state: TeamState, most: int) -> list[dict[str, Any]]:
    """The newest lines, oldest first: `who`, `content`. One storage operation."""
    if state.lines == 0:
        return []
    found = await turn.rows.page(LINE, after=line_key(max(0, state.lines - most)), limit=most)
    return [{"who": line["who"], "content": line["content"][:MOST_SHOWN]} for _, line in found]
