"""Vendors' own errors, as they send them, and what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aos.llm import errors as e
from aos.llm.call import Target
from aos.llm.endpoint import Endpoint
from aos.llm.faults import fault
from aos.llm.providers import builtin

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


def read(
    provider: str, status: int | None, body: Any, headers: dict[str, str] | None = None, secrets: tuple[str, ...] = ()
) -> e.ModelError:
    profile = builtin()[provider]
    target = Target(
        profile=profile,
        model="some-model",
        endpoint=Endpoint("http://x", secrets=secrets),
        capabilities=profile.capabilities,
        limits=profile.limits,
        rules=profile.rules,
    )
    return fault(target, status=status, headers=headers or {}, body=body, now=NOW)


def error(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("provider", "status", "body", "kind"),
    [
        ("openai", 429, error("You exceeded your quota", code="insufficient_quota"), e.CreditExhausted),
        ("openai", 429, error("Rate limit reached", code="rate_limit_exceeded"), e.RateLimited),
        ("openai", 400, error("too long", code="context_length_exceeded"), e.ContextOverflow),
        ("openai", 401, error("Incorrect API key provided", code="invalid_api_key"), e.AuthenticationFailed),
        ("openai", 404, error("The model `x` does not exist", code="model_not_found"), e.ModelNotFound),
        ("azure_openai", 404, error("no deployment", code="DeploymentNotFound"), e.ModelNotFound),
        (
            "azure_openai",
            400,
            error("filtered", code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
            e.ContentFiltered,
        ),
        ("anthropic", 429, {"type": "error", **error("cap", type="enforced_spend_limit_reached")}, e.CreditExhausted),
        ("anthropic", 402, {"type": "error", **error("pay", type="billing_error")}, e.CreditExhausted),
        ("anthropic", 529, {"type": "error", **error("busy", type="overloaded_error")}, e.Overloaded),
        ("anthropic", None, {"type": "error", **error("busy", type="overloaded_error")}, e.Overloaded),
        (
            "anthropic",
            400,
            {"type": "error", **error("prompt is too long: 9 tokens > 8 maximum", type="invalid_request_error")},
            e.ContextOverflow,
        ),
        (
            "anthropic",
            400,
            {"type": "error", **error("Your credit balance is too low", type="invalid_request_error")},
            e.CreditExhausted,
        ),
        (
            "google",
            400,
            error("API key not valid. Please pass one.", status="INVALID_ARGUMENT"),
            e.AuthenticationFailed,
        ),
        ("google", 402, error("billing", status="RESOURCE_EXHAUSTED"), e.CreditExhausted),
        ("google", 503, error("The model is overloaded", status="UNAVAILABLE"), e.Overloaded),
        (
            "google",
            400,
            error(
                "The input token count (9) exceeds the maximum number of tokens allowed (8).", status="INVALID_ARGUMENT"
            ),
            e.ContextOverflow,
        ),
        ("zai", 429, error("balance", code="1113"), e.CreditExhausted),
        ("zai", 429, error("slow down", code="1302"), e.RateLimited),
        ("moonshot", 429, error("quota", type="exceeded_current_quota_error"), e.CreditExhausted),
        ("moonshot", 429, error("slow", type="rate_limit_reached_error"), e.RateLimited),
        ("moonshot", 429, error("busy", type="engine_overloaded_error"), e.Overloaded),
        ("groq", 400, error("Failed to call a function", code="tool_use_failed"), e.InvalidToolCall),
        ("groq", 498, error("flex capacity exceeded"), e.Overloaded),
        ("cohere", 498, {"message": "invalid token"}, e.AuthenticationFailed),
        ("cohere", 400, {"message": "too many tokens: size limit exceeded by 10"}, e.ContextOverflow),
        ("mistral", 422, {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs", "type": "extra"}]}, e.BadRequest),
        ("openrouter", 200, error("upstream is down", code=502), e.ProviderFailed),
        ("openrouter", 200, error("no credits", code=402), e.CreditExhausted),
        ("replicate", 429, {"detail": "Request was throttled. Your rate limit resets in ~30s."}, e.RateLimited),
        ("replicate", 401, {"title": "Unauthenticated", "detail": "no", "status": 401}, e.AuthenticationFailed),
        ("ollama", 404, {"error": "model 'x' not found"}, e.ModelNotFound),
        ("ollama", 400, {"error": "phi3:3.8b does not support tools"}, e.UnsupportedRequest),
        ("together", 504, "<html>gateway timeout</html>", e.ModelTimedOut),
        ("fireworks", 418, "", e.BadRequest),
        ("fireworks", 599, None, e.ProviderFailed),
    ],
)
def test_kinds(provider: str, status: int | None, body: Any, kind: type[e.ModelError]) -> None:
    assert type(read(provider, status, body)) is kind


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, {}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, {}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 20:00:09 GMT"}, {}, 9),
        ({}, {"detail": "Request was throttled. Your rate limit resets in ~30s."}, 30),
        ({}, error("Rate limit reached. Please try again in 1m2.5s."), 62.5),
        ({}, error("", details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "46s"}]), 46),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, {}, 360),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"}, {}, None),
        ({}, {}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], body: Any, seconds: float | None) -> None:
    assert read("openai", 429, body, headers).retry_after == seconds


def test_a_quota_of_the_day_is_out_until_it_resets() -> None:
    violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
    body = error("quota", status="RESOURCE_EXHAUSTED", details=[{"violations": [violation]}])
    found = read("google", 429, body)
    assert isinstance(found, e.RateLimited)
    assert found.recourse is e.Recourse.FAIL_OVER
    assert found.retry_after == 12 * 3600


def test_a_provider_that_asks_not_to_be_tried_again_is_not() -> None:
    assert read("openai", 500, {}, {"x-should-retry": "false"}).recourse is e.Recourse.FAIL_OVER


def test_messages_say_what_to_do_and_never_hold_the_key() -> None:
    found = read("openai", 401, error("Incorrect API key provided: sk-canary-123"), secrets=("sk-canary-123",))
    assert "OPENAI_API_KEY" in found.message
    assert "sk-canary-123" not in str(found) + repr(found) + str(found.to_json())
