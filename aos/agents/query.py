"""`agent.query`: a question in words, as people, other programs and business apps put it to an agent."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

QUERY_TYPE = "agent.query"


class Query(BaseModel):
    """The data of `agent.query`.

    Attributes:
        prompt: What is asked; `query`, as business apps call it, is understood as well.
        conversation: Which conversation it belongs to; by default the message's own.
        context: What is to be known for it; shown to the model below the question.
        max_tokens: Of the answer, where that is less than the agent's own limit.
        temperature: As the model is asked; the agent's own by default.
    """

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, max_length=200_000, validation_alias=AliasChoices("prompt", "query"))
    conversation: str | None = Field(default=None, min_length=1, max_length=128)
    context: dict[str, Any] = {}
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)

    @property
    def text(self) -> str:
        """The question, with its context below it."""
        if not self.context:
            return self.prompt
        return f"{self.prompt}\n\nContext:\n{json.dumps(self.context, ensure_ascii=False, indent=1)}"
