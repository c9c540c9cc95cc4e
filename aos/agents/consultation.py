"""A decision that waits for what stakeholders say: who was asked, who answered, and who waits for the outcome."""

from __future__ import annotations

from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from aos.agents.leadership_messages import DecisionRequest
from aos.agents.turn import Turn
from aos.kernel.errors import NotAllowedNow

CONSULTATIONS = "aos.consultations"
"""Member of an agent's stored state that holds its open consultations, by id."""

MAX_OPEN = 50


class Opinion(BaseModel):
    """What one stakeholder said: a score for each option, or why there is none."""

    scores: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    reasoning: str = ""
    error: str | None = None

    @classmethod
    def read(cls, answer: Any) -> Opinion:
        """An answer as an opinion; one that cannot be understood has no say."""
        try:
            return cls.model_validate(answer)
        except ValidationError as error:
            return cls(error=f"The answer is no opinion: {error.error_count()} problems.")


class OpenConsultation(BaseModel):
    """What was asked of whom, and what they said; `held` is who waits for the outcome (see `Turn.hold_reply`)."""

    request: DecisionRequest
    held: dict[str, Any] | None = None
    opinions: dict[str, Opinion] = {}

    @property
    def is_complete(self) -> bool:
        return set(self.request.stakeholders) <= set(self.opinions)

    def support(self, option: str) -> float | None:
        """The mean of the stakeholders' scores; None where nobody had one."""
        scores = [opinion.scores[option] for opinion in self.opinions.values() if option in opinion.scores]
        return fmean(scores) if scores else None


def open_consultation(turn: Turn, consultation_id: str, consultation: OpenConsultation) -> None:
    """Keep it until the answers are here. Raises `NotAllowedNow` where too many are open."""
    kept = turn.state.setdefault(CONSULTATIONS, {})
    if len(kept) >= MAX_OPEN:
        raise NotAllowedNow(f"{turn.agent!r} has {MAX_OPEN} open consultations. Wait for some to end.")
    kept[consultation_id] = consultation.model_dump(mode="json")


def add_opinion(turn: Turn, consultation_id: str, stakeholder: str, opinion: Opinion) -> OpenConsultation | None:
    """Enter an answer; the consultation, taken out, once it is complete."""
    kept = turn.state.get(CONSULTATIONS, {})
    if consultation_id not in kept:
        return None
    consultation = OpenConsultation.model_validate(kept[consultation_id])
    consultation.opinions[stakeholder] = opinion
    if consultation.is_complete:
        del kept[consultation_id]
        return consultation
    kept[consultation_id] = consultation.model_dump(mode="json")
    return None
