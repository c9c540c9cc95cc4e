"""What came of a call: an output or an error, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.kernel.errors import AosError, AttemptsExhausted, TerminalError
from aos.kernel.turn import ERROR_TYPE
from aos.workflows.messages import RunEnded, TeamResult
from aos.workflows.run.run_state import CallKind
from aos.workflows.status import RunStatus

_NO_REASON = {"code": TerminalError.code, "message": "It failed, and did not say why."}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is an `AosError` as JSON; where there is none, `output` is what came of it."""

    output: Any = None
    error: dict[str, Any] | None = None
    cost: float = 0.0
    tokens: int = 0


def failed(error: AosError) -> Outcome:
    return Outcome(error=error.to_json())


def outcome_of(kind: CallKind, message_type: str, answer: Any) -> Outcome:
    """What a reply says."""
    if message_type == ERROR_TYPE:
        return Outcome(error=_cause({**_NO_REASON, **answer} if isinstance(answer, dict) else _NO_REASON))
    if kind in ("workflow", "part"):
        return _of_run(RunEnded.model_validate(answer), part=kind == "part")
    if kind == "team":
        return _of_team(TeamResult.model_validate(answer))
    if kind in ("tool", "model"):
        return Outcome(answer["output"], cost=answer["cost_usd"], tokens=answer["tokens"])
    return Outcome(answer, cost=_spent(answer, "cost_usd"), tokens=int(_spent(answer, "tokens")))


def _cause(error: dict[str, Any]) -> dict[str, Any]:
    """An agent that has tried as often as it may says what failed the last time."""
    last = (error.get("details") or {}).get("last_error")
    if error.get("code") == AttemptsExhausted.code and isinstance(last, dict):
        return {**last, "message": error["message"]}
    return error


def _of_run(ended: RunEnded, *, part: bool) -> Outcome:
    if ended.status is RunStatus.COMPLETED:
        output = ended.output["output"] if part else ended.output
        return Outcome(output, cost=ended.cost_usd, tokens=ended.tokens)
    error = (
        ended.error or TerminalError(f"Run {ended.run_id!r} was {ended.status}.", code=f"run_{ended.status}").to_json()
    )
    return Outcome(error=error, cost=ended.cost_usd, tokens=ended.tokens)


def _of_team(result: TeamResult) -> Outcome:
    if result.success:
        return Outcome(result.output, cost=result.cost_usd)
    error = TerminalError(f"The team ended without success: {result.reason}.", code="team_failed")
    return Outcome(error=error.to_json(), cost=result.cost_usd)


def _spent(answer: Any, name: str) -> float:
    """What an agent says it spent: `usage.cost_usd`, or `cost_usd` itself."""
    if not isinstance(answer, dict):
        return 0.0
    usage = answer.get("usage")
    found = usage.get(name) if isinstance(usage, dict) else answer.get(name)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return max(0.0, float(found)) if is_number and found is not None else 0.0
