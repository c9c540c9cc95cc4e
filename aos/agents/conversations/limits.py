"""How much of a conversation an agent has at hand, and how long it keeps the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aos.kernel.errors import SettingInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationLimits:
    """Bounds of conversations.

    Attributes:
        max_entries, max_tokens, max_bytes: Of the window: the newest entries, which are at hand in each turn. Tokens
            are estimated at four characters each; bytes are those of JSON.
        max_open: Conversations whose windows are kept in the agent's state, those used last. Another one costs a
            storage operation more in the turn that takes it up again.
        max_open_bytes: Bytes of all these windows together.
        summarise: Whether what leaves the window goes into a running summary.
        summary_tokens: Length of the summary.
        summary_seconds: How long a model may take for it.
        keep_for: After this time entries are deleted; None keeps them for good.
    """

    max_entries: int = 40
    max_tokens: int = 6_000
    max_bytes: int = 32 * 1024
    max_open: int = 20
    max_open_bytes: int = 128 * 1024
    summarise: bool = True
    summary_tokens: int = 500
    summary_seconds: float = 20.0
    keep_for: timedelta | None = None

    def __post_init__(self) -> None:
        if min(self.max_entries, self.max_tokens, self.max_bytes, self.max_open, self.summary_tokens) < 1:
            raise SettingInvalid("The bounds of conversations must be above zero.")
        if self.keep_for is not None and self.keep_for <= timedelta():
            raise SettingInvalid("`keep_for` must be above zero; leave it out to keep entries for good.")
