"""The action a person is asked about, and its digest: what ties an answer to exactly this action."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_BYTES = 64 * 1024
"""Limit of an action, of details and of a schema, each as canonical JSON."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks. Raises TypeError or ValueError for what JSON cannot say."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def action_digest(action: Any) -> str:
    """SHA-256 in hex of an action's canonical JSON."""
    return hashlib.sha256(canonical(action).encode()).hexdigest()


class Action(BaseModel):
    """What will be done.

    Attributes:
        what: The exact action: an object such as `{"tool": …, "arguments": …}`, or words.
        digest: SHA-256 of the exact action; made from `what` where it is left out. Beside an object it must be that
            object's; beside words it may stand for something larger that the words describe.
    """

    model_config = ConfigDict(extra="forbid")

    what: str | dict[str, Any]
    digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @model_validator(mode="after")
    def _bind(self) -> Self:
        if not self.what:
            raise ValueError("`what` is empty: say what will be done")
        if len(canonical(self.what).encode()) > MOST_BYTES:
            raise ValueError(f"`what` is over {MOST_BYTES:,} bytes: name an artifact instead")
        digest = action_digest(self.what)
        if self.digest and isinstance(self.what, dict) and self.digest != digest:
            raise ValueError("`digest` is not the SHA-256 of `what`: leave it out to have it made")
        self.digest = self.digest or digest
        return self
