"""What killing an agent at every place has shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lost", "doubled", "failed check", "unfinished"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that goes wrong when the process dies at one place.

    Attributes:
        kind: What.
        effect: The external call or message concerned, or what a check said.
        place: Where the process died: `after tables.commit, operation 4 of 9`.
        times, expected: How often it happened, and how often it does without a crash.
        step: The step the call was made in; None outside of steps.
    """

    kind: Kind
    effect: str
    place: str
    times: int = 0
    expected: int = 0
    step: str | None = None

    def __str__(self) -> str:
        if self.kind in ("lost", "doubled"):
            return f"{self.effect} happened {self.times} times instead of {self.expected}"
        return f"{self.kind}: {self.effect}"

    @property
    def advice(self) -> str:
        """What the author can do about it."""
        if self.kind == "doubled" and self.step is None:
            return f"Make the call {self.effect!r} in `turn.step`, and hand it `turn.idempotency_key(...)`."
        if self.kind == "doubled":
            return (
                f"Between {self.effect!r} and the journaling of step {self.step!r} a crash repeats the call: hand it "
                "`turn.idempotency_key(...)`."
            )
        if self.kind == "lost":
            return f"Make sure that {self.effect!r} does not depend on what an earlier try left outside of the state."
        return "Keep nothing on the agent that belongs to a turn: state is what `turn.state` holds."


@dataclass(frozen=True, slots=True)
class CrashReport:
    """The outcome of a crash test.

    Attributes:
        places: Where the process was killed: each operation before and after.
        findings: What went wrong, in order of the places.
        unprotected: External calls made outside of steps and without an idempotency key.
    """

    places: tuple[str, ...]
    findings: tuple[Finding, ...]
    unprotected: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    def doubled(self) -> list[str]:
        """Names of what happens too often."""
        return self._effects("doubled")

    def lost(self) -> list[str]:
        """Names of what does not happen, or not often enough."""
        return self._effects("lost")

    def _effects(self, kind: Kind) -> list[str]:
        return list(dict.fromkeys(finding.effect for finding in self.findings if finding.kind == kind))

    def __str__(self) -> str:
        lines = [f"killed at {len(self.places)} places"]
        lines += [f"{name} is called outside of a step" for name in self.unprotected]
        groups: dict[tuple[Kind, str], list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault((finding.kind, finding.effect), []).append(finding)
        for found in groups.values():
            lines += [f"{found[0]}, when the process dies", *(f"  {finding.place}" for finding in found)]
            lines.append(f"  {found[0].advice}")
        return "\n".join(lines if self.findings or self.unprotected else [*lines, "nothing lost, nothing doubled"])
