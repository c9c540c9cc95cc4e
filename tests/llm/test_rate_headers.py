from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aos.llm.rate_headers import duration, rate_limits

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("120ms", 0.12), ("1h2m3s", 3723), ("2.5", 2.5), ("-1", 0), ("soon", None), ("", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


def test_openai_style() -> None:
    found = rate_limits(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        NOW,
    )
    assert found is not None
    assert found.requests is not None
    assert found.tokens is not None
    assert (found.requests.limit, found.requests.remaining, found.requests.reset_after) == (60, 59, 1)
    assert (found.tokens.limit, found.tokens.remaining, found.tokens.reset_after) == (150000, 0, 360)


def test_anthropic_style() -> None:
    found = rate_limits(
        {
            "anthropic-ratelimit-input-tokens-limit": "1000",
            "anthropic-ratelimit-input-tokens-remaining": "10",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-21T12:00:30Z",
        },
        NOW,
    )
    assert found is not None
    assert found.input_tokens is not None
    assert (found.input_tokens.limit, found.input_tokens.remaining, found.input_tokens.reset_after) == (1000, 10, 30)


def test_cerebras_names_the_span() -> None:
    found = rate_limits({"x-ratelimit-remaining-requests-day": "5", "x-ratelimit-reset-tokens-minute": "12.5"}, NOW)
    assert found is not None
    assert found.requests is not None
    assert found.requests.remaining == 5
    assert found.tokens is not None
    assert found.tokens.reset_after == 12.5


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-limit-requests": "many"}, {"content-type": "text/plain"}])
def test_nothing_said(headers: dict[str, str]) -> None:
    assert rate_limits(headers, NOW) is None
