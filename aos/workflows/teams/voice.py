"""A member of a team that is a role and no agent: a model speaks for it."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.agents.contributing import contribution_of, contribution_prompt
from aos.agents.work import TEAM_CONTRIBUTE, Contribution, ContributionRequest
from aos.kernel.address import MAX_LENGTH
from aos.kernel.errors import SettingMissing

VOICE_TYPE = "team-voice"


def voice_address(team: str, member: str) -> str:
    """Where a member without an agent is reached."""
    key = f"{team.partition(':')[2]}.{member}"
    if len(VOICE_TYPE) + 1 + len(key) > MAX_LENGTH:
        key = hashlib.sha256(key.encode()).hexdigest()[:40]
    return f"{VOICE_TYPE}:{key}"


class VoiceState(BaseModel):
    """What a voice keeps: how often it spoke. All else comes with the question."""

    spoke: int = 0


class TeamVoice(Agent[VoiceState]):
    """Speaks for the members of teams that are roles only."""

    type = VOICE_TYPE
    name = "Voice"
    purpose = "Speak for a role in a team"
    listed = False

    @on(TEAM_CONTRIBUTE)
    async def contribute(self, turn: Turn, state: VoiceState, asked: ContributionRequest) -> Contribution:
        if not turn.can_think:
            raise SettingMissing(
                f"{asked.speak_as!r} of {asked.team!r} is a role, and no AI model is configured to speak for it. Set a "
                "provider's API key in the app settings, or name an `agent` for the member.",
                code="no_model_configured",
            )
        response = await turn.think(contribution_prompt(asked), name="contribute")
        state.spoke += 1
        return contribution_of(asked, response)
