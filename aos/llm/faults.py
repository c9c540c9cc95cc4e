"""Turns a provider's error into one of ours: by its code first, then by what its text gives away, then its status.

Providers say in an HTTP status less than a router needs: 429 may mean "wait a second" or "pay your bill", 400 may
mean a bug of ours or a prompt that is too long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aos.llm import errors as e
from aos.llm.call import Target
from aos.llm.loose import mapping, objects, text
from aos.llm.provider import ErrorKind
from aos.llm.rate_headers import duration, exhausted_for, rate_limits, retry_after

_KINDS: dict[ErrorKind, type[e.ModelError]] = {
    "rate_limited": e.RateLimited,
    "overloaded": e.Overloaded,
    "failed": e.ProviderFailed,
    "timed_out": e.ModelTimedOut,
    "credit_exhausted": e.CreditExhausted,
    "authentication": e.AuthenticationFailed,
    "access": e.AccessRefused,
    "model_not_found": e.ModelNotFound,
    "context_overflow": e.ContextOverflow,
    "content_filtered": e.ContentFiltered,
    "bad_request": e.BadRequest,
    "unsupported": e.UnsupportedRequest,
    "malformed": e.InvalidToolCall,
}
_CODES: dict[str, ErrorKind] = {
    "insufficient_quota": "credit_exhausted",
    "billing_error": "credit_exhausted",
    "billing_hard_limit_reached": "credit_exhausted",
    "billing_not_active": "credit_exhausted",
    "enforced_spend_limit_reached": "credit_exhausted",
    "exceeded_current_quota_error": "credit_exhausted",
    "insufficient_credits": "credit_exhausted",
    "payment_required": "credit_exhausted",
    "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_reached_error": "rate_limited",
    "too_many_requests": "rate_limited",
    "overloaded_error": "overloaded",
    "engine_overloaded_error": "overloaded",
    "capacity_exceeded": "overloaded",
    "unavailable": "overloaded",
    "timeout_error": "timed_out",
    "deadline_exceeded": "timed_out",
    "authentication_error": "authentication",
    "invalid_api_key": "authentication",
    "unauthenticated": "authentication",
    "permission_error": "access",
    "permission_denied": "access",
    "model_not_found": "model_not_found",
    "deploymentnotfound": "model_not_found",
    "not_found_error": "model_not_found",
    "context_length_exceeded": "context_overflow",
    "request_too_large": "context_overflow",
    "string_above_max_length": "context_overflow",
    "content_filter": "content_filtered",
    "content_policy_violation": "content_filtered",
    "responsibleaipolicyviolation": "content_filtered",
    "tool_use_failed": "malformed",
}
_STATUSES: dict[int, ErrorKind] = {
    400: "bad_request",
    401: "authentication",
    402: "credit_exhausted",
    403: "access",
    404: "model_not_found",
    405: "bad_request",
    408: "timed_out",
    409: "failed",
    413: "context_overflow",
    422: "bad_request",
    425: "overloaded",
    429: "rate_limited",
    498: "overloaded",
    503: "overloaded",
    504: "timed_out",
    524: "timed_out",
    529: "overloaded",
}
_TEXTS: tuple[tuple[re.Pattern[str], frozenset[ErrorKind], ErrorKind], ...] = (
    (
        re.compile(
            r"context (length|window)|maximum context|prompt is too long|too many (input )?tokens|too large for model|"
            r"input token count|exceeds? the (maximum|model'?s?|limit).{0,40}tokens?|reduce the length",
            re.IGNORECASE,
        ),
        frozenset({"bad_request", "failed"}),
        "context_overflow",
    ),
    (
        re.compile(
            r"does not support (tools|images?|image input|vision|function|json|response_format|streaming)",
            re.IGNORECASE,
        ),
        frozenset({"bad_request", "failed"}),
        "unsupported",
    ),
    (
        re.compile(r"insufficient (balance|credits?|funds|quota)|credit balance is too low|check your plan and billing|"
                   r"spend(ing)? (limit|cap)|out of credits", re.IGNORECASE),
        frozenset({"bad_request", "rate_limited", "access"}),
        "credit_exhausted",
    ),
    (
        re.compile(r"\bapi key\b.{0,20}(not valid|invalid|expired)|(invalid|incorrect) api[ _-]?key", re.IGNORECASE),
        frozenset({"bad_request", "access"}),
        "authentication",
    ),
    (
        re.compile(r"model.{0,80}(not found|does not exist|not exist|decommissioned)", re.IGNORECASE),
        frozenset({"bad_request"}),
        "model_not_found",
    ),
    (
        re.compile(r"content (management )?policy|content filter|safety (system|reasons)|flagged", re.IGNORECASE),
        frozenset({"bad_request"}),
        "content_filtered",
    ),
)  # fmt: skip
_PAUSE = re.compile(r"(?:try again in|retry in|resets? in)\s*~?\s*((?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+)", re.IGNORECASE)
_SERVER_TIMEOUTS = frozenset({408, 504, 524})
_LONGEST_MESSAGE = 600


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What a provider's error body says, whatever its shape."""

    codes: tuple[str, ...]
    message: str
    status: int | None = None
    pause: float | None = None
    per_day: bool = False


def error_in(body: Any) -> Mapping[str, Any] | None:
    """The body itself where it is an error (even under a 200), else None."""
    if not isinstance(body, Mapping):
        return None
    if body.get("error") or body.get("type") == "error" or body.get("object") == "error":
        return body
    return None


def read_facts(body: Any) -> ErrorFacts:
    """Digest an error body of any provider."""
    if not isinstance(body, Mapping):
        return ErrorFacts((), str(body) if body else "")
    outer = body
    inner: Mapping[str, Any] = mapping(outer, "error") or outer
    nested = mapping(inner, "innererror")
    fields = [inner.get("code"), inner.get("type"), inner.get("status"), nested.get("code"), outer.get("code")]
    codes = tuple(str(f).strip().lower() for f in fields if isinstance(f, str | int) and str(f).strip())
    said = _first_text(inner.get("message"), outer.get("error"), outer.get("message"), outer.get("detail"))
    numbers = [f for f in (inner.get("code"), outer.get("status"), outer.get("code")) if isinstance(f, int)]
    status = next((n for n in numbers if 400 <= n <= 599), None)
    pause, per_day = _google_details(inner)
    if pause is None and (match := _PAUSE.search(said)):
        pause = duration(match[1])
    return ErrorFacts(codes, said, status, pause, per_day)


def fault(
    target: Target,
    *,
    status: int | None,
    headers: Mapping[str, str],
    body: Any,
    now: datetime,
    request_id: str | None = None,
) -> e.ModelError:
    """The error that a provider's answer stands for.

    Args:
        status: HTTP status; None or 200 where the error came inside a good answer or a stream.
        headers: With lower-case names.
        body: Parsed JSON, or the text where it is none.
        now: For limits that reset at a moment.
        target: Whom was asked.
        request_id: The provider's id of the request.
    """
    facts = read_facts(body)
    told = status if status is not None and status >= 400 else facts.status
    kind = _kind(target, told, facts)
    limits = rate_limits(headers, now)
    error = target.error(
        _KINDS[kind],
        _message(target, kind, told, facts),
        status=told,
        provider_code=facts.codes[0] if facts.codes else None,
        request_id=request_id,
        rate_limits=limits,
        retry_after=_pause(kind, headers, facts, limits, now),
        recourse=_recourse(kind, told, headers, facts),
    )
    if kind == "rate_limited" and error.retry_after is None and facts.per_day:
        error.retry_after = _until_pacific_midnight(now)
    return error


def parse_body(raw: bytes) -> Any:
    """JSON where it is, else the text."""
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", errors="replace")


def _kind(target: Target, status: int | None, facts: ErrorFacts) -> ErrorKind:
    own = target.profile.error_codes
    for name in (*facts.codes, str(status)):
        if name in own:
            return own[name]
    by_status = _STATUSES.get(status or 0) or ("failed" if (status or 500) >= 500 else "bad_request")
    kind = next((_CODES[code] for code in facts.codes if code in _CODES), by_status)
    for pattern, among, better in _TEXTS:
        if kind in among and pattern.search(facts.message):
            return better
    return kind


def _recourse(kind: ErrorKind, status: int | None, headers: Mapping[str, str], facts: ErrorFacts) -> e.Recourse | None:
    if facts.per_day and kind == "rate_limited":
        return e.Recourse.FAIL_OVER
    usual = _KINDS[kind].recourse
    if kind == "timed_out" and (status is None or status in _SERVER_TIMEOUTS):
        usual = e.Recourse.RETRY
    if headers.get("x-should-retry") == "false" and usual is e.Recourse.RETRY:
        usual = e.Recourse.FAIL_OVER
    return usual


def _pause(kind: ErrorKind, headers: Mapping[str, str], facts: ErrorFacts, limits: Any, now: datetime) -> float | None:
    for seconds in (retry_after(headers, now), facts.pause):
        if seconds is not None:
            return seconds
    return exhausted_for(limits) if kind == "rate_limited" else None


def _message(target: Target, kind: ErrorKind, status: int | None, facts: ErrorFacts) -> str:
    said = " ".join(facts.message.split())
    if len(said) > _LONGEST_MESSAGE:
        said = said[:_LONGEST_MESSAGE] + " ..."
    answered = f"answered {status}" if status else "reported an error"
    return " ".join(part for part in (f"{answered}: {said}" if said else f"{answered}.", _advice(target, kind)) if part)


def _advice(target: Target, kind: ErrorKind) -> str:
    settings = " or ".join(target.profile.api_key_env) or "the provider's key"
    advice: dict[ErrorKind, str] = {
        "authentication": f"Check {settings}.",
        "access": f"The key in {settings} may not use this model.",
        "credit_exhausted": "Top up the account or raise its spending limit.",
        "model_not_found": "Check the model's name and whether it is still offered.",
        "context_overflow": "Shorten the prompt or use a model with a larger context.",
        "content_filtered": "The provider's content policy refused it.",
    }
    return advice.get(kind, "")


def _first_text(*candidates: Any) -> str:
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            return candidate
        if isinstance(candidate, list | Mapping) and candidate:
            return json.dumps(candidate, ensure_ascii=False, default=str)
    return ""


def _google_details(error: Mapping[str, Any]) -> tuple[float | None, bool]:
    """The pause that Google's RetryInfo asks for, and whether its QuotaFailure names a quota of the day."""
    pause: float | None = None
    per_day = False
    for detail in objects(error.get("details")):
        if text(detail.get("@type")).endswith("RetryInfo"):
            pause = duration(text(detail.get("retryDelay")))
        for violation in objects(detail.get("violations")):
            per_day = per_day or "perday" in text(violation.get("quotaId")).lower()
    return pause, per_day


def _until_pacific_midnight(now: datetime) -> float:
    """Seconds until Google's daily quotas reset: midnight of UTC-8, an hour late while summer time holds."""
    reset = now.replace(hour=8, minute=0, second=0, microsecond=0)
    if reset <= now:
        reset += timedelta(days=1)
    return (reset - now).total_seconds()
