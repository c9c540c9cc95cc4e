"""The guardrail: what a turn may do with tools once content from outside has entered it.

Whoever wrote that content may have written it for the model. Its label goes wherever the content goes, so the
guardrail holds in every agent that hears of it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from aos.kernel.errors import SettingInvalid
from aos.tools.declaration import RISKS, Risk, Tool

log = logging.getLogger("aos.tools")

Level = Literal["strict", "warn", "audit", "disabled"]
Verdict = Literal["allow", "ask", "deny"]
UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the guardrail makes of a call.

    Attributes:
        verdict: What the policy says.
        enforced: Whether it is held to; below `strict` it is not.
        reason: In a sentence.
    """

    verdict: Verdict
    enforced: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A declared policy.

    Attributes:
        level: `strict` holds to it, `warn` allows and warns in the log, `audit` only journals what it would have
            said, `disabled` does not look.
        allow_up_to: The highest risk of tools that a turn with untrusted content may use as it likes.
        ask_up_to: The highest risk that a person may allow; what is above it is denied.
        labels: Roots of the labels that count as untrusted.
    """

    level: Level = "strict"
    allow_up_to: Risk = "low"
    ask_up_to: Risk = "high"
    labels: frozenset[str] = field(default=frozenset({UNTRUSTED}))

    def __post_init__(self) -> None:
        if RISKS.index(self.allow_up_to) > RISKS.index(self.ask_up_to):
            raise SettingInvalid(
                f"A guardrail cannot allow {self.allow_up_to!r} and ask only up to {self.ask_up_to!r}. "
                "Raise `ask_up_to`, or lower `allow_up_to`."
            )

    def untrusted(self, labels: Collection[str]) -> list[str]:
        """Those of the labels that count as untrusted."""
        return sorted(label for label in labels if label.partition(":")[0] in self.labels)

    def judge(self, tool: Tool, labels: Collection[str]) -> Judgement | None:
        """What to make of a call in a turn with these labels; None where there is nothing to say."""
        tainted = [] if self.level == "disabled" else self.untrusted(labels)
        risk = RISKS.index(tool.risk)
        if not tainted or risk <= RISKS.index(self.allow_up_to):
            return None
        verdict: Verdict = "ask" if risk <= RISKS.index(self.ask_up_to) else "deny"
        reason = (
            f"Tool {tool.name!r} has risk {tool.risk!r} and the turn holds content from outside: {', '.join(tainted)}."
        )
        if self.level == "warn":
            log.warning("guardrail would %s: %s", verdict, reason)
        return Judgement(verdict, self.level == "strict", reason)
