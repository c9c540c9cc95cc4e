"""What a purpose consists of: what for, within what bounds, how success is measured, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

DEFAULT_SCOPE = "General purpose operation"


@dataclass(frozen=True, slots=True)
class SuccessMetric:
    """The number that shows whether the purpose is served; handlers raise it with `Pursuit.advance`.

    Attributes:
        name: What is counted: `invoices paid`.
        target: How much of it is success. None where there is no end to it.
    """

    name: str
    target: float | None = None


@dataclass(frozen=True, slots=True)
class PurposeBudget:
    """What serving the purpose may cost in a period; beyond it the agent is flagged `over_budget`.

    Attributes:
        limits: Most of each kind of usage, by the names given to `turn.spend` (`model_cost_usd`); `turns` counts turns.
        period: After this long counting starts anew.
    """

    limits: Mapping[str, float]
    period: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retirement:
    """When the purpose has had its day; the agent is then flagged `due_for_retirement`.

    Attributes:
        when_achieved: The success metric is at its target and no goal is active.
        after: So long after the agent's first turn.
        idle_for: Nothing served the purpose for so long.
    """

    when_achieved: bool = False
    after: timedelta | None = None
    idle_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose, whole.

    Attributes:
        statement: What the agent is there for.
        scope: Where its responsibility lies.
        success_criteria: By what one sees that it does well.
        vocabulary: Further words of its trade, which count as serving it: what it is capable of.
        metric, budget, retirement: See there.
        cadence: At least one turn that serves the purpose is expected in each span of this length.
        threshold: Least alignment score, 0 to 1, that counts as aligned.
        patience: After so many turns in a row without progress the agent is flagged `busy_but_useless`; a moving
            average over about as many tells whether it drifts.
    """

    statement: str
    scope: str = DEFAULT_SCOPE
    success_criteria: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    metric: SuccessMetric | None = None
    budget: PurposeBudget | None = None
    cadence: timedelta | None = None
    retirement: Retirement = field(default_factory=Retirement)
    threshold: float = 0.1
    patience: int = 20

    @property
    def statements(self) -> tuple[str, ...]:
        """The texts an action is compared with."""
        scope = (self.scope,) if self.scope != DEFAULT_SCOPE else ()
        trade = (" ".join(self.vocabulary),) if self.vocabulary else ()
        return (self.statement, *scope, *self.success_criteria, *trade)
