"""Asking a model within a turn: a journaled step, so that a message that comes back is not paid for twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aos.kernel.errors import SettingMissing, TerminalError
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.llm.route import CallContext, Route
from aos.llm.router import Answered, ModelRouter
from aos.llm.structured import Mismatch, parse

T = TypeVar("T")
STEP = "think"
_MARGIN = 2.0


class ThinkingTurn(Protocol):
    """What of a turn is needed; `aos.kernel.turn.Turn` has it."""

    @property
    def agent(self) -> str: ...

    @property
    def remaining(self) -> float: ...

    async def step(self, name: str, work: Callable[[], Awaitable[T]]) -> T: ...

    def idempotency_key(self, name: str) -> str: ...

    def spend(self, **amounts: float) -> None: ...

    def record(self, kind: str, **facts: Any) -> None: ...


async def think(
    turn: ThinkingTurn,
    router: ModelRouter | None,
    request: ModelRequest | str,
    *,
    name: str = STEP,
    route: Route | None = None,
    context: CallContext | None = None,
) -> ModelResponse:
    """Ask a model as a step of the turn.

    The answer is kept with the step and used again when the message is delivered again. Tokens and cost go into
    the turn's usage, and who answered into its journal entry.

    Args:
        turn: The turn.
        router: Whom to ask.
        request: What to ask; plain words are a single question.
        name: Of the step. Calls that share one name are told apart by their order.
        route: Who may answer.
        context: On whose account; the turn's agent where it names none.

    Returns:
        The answer; `parsed` is filled in where the request has a structure.

    Raises:
        SettingMissing: there is no router.
        AllModelsFailed, BudgetExceeded, ModelError: as the router raises them. Nothing is kept then.
    """
    if router is None:
        raise SettingMissing("No AI model is configured. Set a provider's API key; `aos models list` names them.")
    asked = ModelRequest.ask(request) if isinstance(request, str) else request
    account = context or CallContext()
    if account.agent is None:
        account = account.model_copy(update={"agent": turn.agent})
    if asked.idempotency_key is None:
        asked = asked.model_copy(update={"idempotency_key": _call_key(turn, name, asked)})

    async def work() -> dict[str, Any]:
        # The rest of the turn's time is for its commit.
        deadline = router.clock.monotonic() + max(turn.remaining - _MARGIN, 0.0)
        return to_record(await router.answer(asked, route, context=account, deadline=deadline))

    record = await turn.step(name, work)
    response = from_record(asked, record)
    _account(turn, name, record, response)
    return response


def to_record(answered: Answered) -> dict[str, Any]:
    """An answer as JSON, with its tries."""
    return {
        "response": answered.response.model_dump(mode="json", exclude={"rate_limits"}),
        "tries": [each.to_json() for each in answered.tries],
    }


def from_record(request: ModelRequest, record: dict[str, Any]) -> ModelResponse:
    """The answer that was recorded, with its structure validated anew.

    Raises:
        TerminalError: it does not fit the request's structure, which must have changed since.
    """
    response = ModelResponse.model_validate(record["response"])
    wanted = request.response_format
    if wanted is None or response.tool_calls or response.degraded:
        return response
    try:
        return response.model_copy(update={"parsed": parse(wanted, response.text)})
    except Mismatch as mismatch:
        raise TerminalError(
            f"The recorded answer is not a {wanted.name!r} any more: {mismatch.mistakes}. The structure changed while "
            "the message was retried; resubmit it under a new id.",
            code="recorded_answer_does_not_fit",
        ) from mismatch


def _call_key(turn: ThinkingTurn, name: str, request: ModelRequest) -> str:
    """The same for the same question on every delivery of the message."""
    return turn.idempotency_key(f"{name}\n{request.model_dump_json(exclude={'idempotency_key', 'metadata'})}")


def _account(turn: ThinkingTurn, name: str, record: dict[str, Any], response: ModelResponse) -> None:
    usage, cost = response.usage, response.cost
    if not response.cached:
        turn.spend(
            model_calls=1,
            model_input_tokens=usage.input_tokens,
            model_output_tokens=usage.output_tokens,
            model_cost_usd=0.0 if cost is None else cost.usd,
        )
        if cost is None:
            turn.spend(model_calls_of_unknown_cost=1)
    turn.record(
        "model",
        step=name,
        provider=response.provider,
        model=response.model,
        cost_usd=None if cost is None else cost.usd,
        cached=response.cached,
        degraded=response.degraded_reason,
        tries=record["tries"],
    )
