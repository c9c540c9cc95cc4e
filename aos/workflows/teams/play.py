"""How a kind of team proceeds, as pure steps: what was heard goes in, whom to ask next comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from aos.agents.work import Contribution
from aos.workflows.teams.definition import Team

Expects = Literal["text", "vote", "scores", "speaker"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a member is asked.

    Attributes:
        member: Whom.
        prompt: What for, in words.
        expects: What of the contribution counts: its words, a vote for one of `options`, scores of `options`, or the
            name of who speaks next.
        options: What may be voted for, what is to be scored, or who may speak.
        shows: Names of kept outputs that come with it.
        aside: It is not part of the transcript.
    """

    member: str
    prompt: str
    expects: Expects = "text"
    options: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Delegation:
    """A task given to a team within the team; its result is heard under `name`. Each attempt is a team of its own."""

    name: str
    team: Team
    prompt: str
    shows: tuple[str, ...] = ()
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Finish:
    """The end.

    Attributes:
        success: It did what it was for.
        approved: Somebody entitled to said so.
        reason: Why it ended, as a code.
        output: What came of it.
        kept: Name of a kept output that is the output instead.
        outputs: Names of kept outputs that make the output instead, by name.
        scores: What was measured.
        decision: What was decided, for the journal: `question`, `selected`, `rationale`, `alternatives`, `confidence`.
        escalate_to: Who is told because it came to nothing.
    """

    success: bool
    approved: bool
    reason: str
    output: Any = None
    kept: str | None = None
    outputs: tuple[str, ...] = ()
    scores: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] | None = None
    escalate_to: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What happens next: questions, or the end; both empty while others are still to be heard.

    Attributes:
        asks: Whom to ask, side by side.
        keeps: Outputs to keep, by name.
        finish: The end.
    """

    asks: Sequence[Question | Delegation] = ()
    keeps: Mapping[str, Any] = field(default_factory=dict)
    finish: Finish | None = None


WAIT = Move()


@dataclass(slots=True)
class Table:
    """What a play may look at, and its memory.

    Attributes:
        task: What the team is to do.
        window: Newest lines of the transcript, oldest first: `who`, `content`.
        memo: The play's own memory, JSON; change it freely, and keep it small: what is large is kept by name.
        now: When this turn began.
        id: The team's address.
    """

    task: str
    window: Sequence[Mapping[str, Any]]
    memo: dict[str, Any]
    now: datetime
    id: str


class Play(Protocol):
    """One kind of team."""

    def begin(self, table: Table) -> Move:
        """The first move."""
        ...

    def heard(self, table: Table, who: str, said: Contribution) -> Move:
        """A member (or a team within the team) has answered; its words are in the window by now."""
        ...

    def missed(self, table: Table, who: str, error: Mapping[str, Any]) -> Move:
        """A member failed, or did not answer in time."""
        ...


def failed(who: str, error: Mapping[str, Any]) -> Move:
    """The end because somebody who cannot be done without did not contribute."""
    why = str(error.get("message", "no answer"))
    return Move(finish=Finish(False, False, "member_failed", output={"member": who, "error": why}))
