"""Which play belongs to which kind of team."""

from __future__ import annotations

from aos.workflows.teams.boardroom import BoardroomPlay
from aos.workflows.teams.conversation import ConversationPlay, HandoffPlay
from aos.workflows.teams.crew import CrewPlay
from aos.workflows.teams.debate import DebatePlay
from aos.workflows.teams.definition import Boardroom, Conversation, Crew, Debate, Handoff, Judged, Team
from aos.workflows.teams.judged import JudgedPlay
from aos.workflows.teams.play import Play


def play_of(team: Team) -> Play:
    """The play of a team."""
    match team:
        case Conversation():
            return ConversationPlay(team)
        case Handoff():
            return HandoffPlay(team)
        case Crew():
            return CrewPlay(team)
        case Debate():
            return DebatePlay(team)
        case Judged():
            return JudgedPlay(team)
        case Boardroom():
            return BoardroomPlay(team)
