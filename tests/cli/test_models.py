"""`aos models`, run as a person would, against loopback providers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aos.cli.models import app
from aos.llm.providers import builtin
from aos.testing.models import ModelServer, Refuse, Say

KEY = "loopback-key-1234567890"


class Loopback:
    """A model server on a loop of its own, as the command runs one too."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.server = ModelServer(key=KEY)

    def __enter__(self) -> Loopback:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.__aenter__(), self._loop).result()
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.__aexit__(None, None, None), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    for profile in builtin().values():
        for name in (*profile.api_key_env, *profile.base_url_env, *profile.default_model_env):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AOS_MODELS_FILE", raising=False)
    with Loopback() as running:
        yield running


@pytest.fixture
def configured(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.server.url + "/v1")
    return loopback


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "NO_COLOR": "1"})
    return result.exit_code, result.output


def test_with_nobody_configured_it_says_what_to_do(loopback: Loopback) -> None:
    code, text = run("list")
    assert code == 0
    assert "Set the API key of one" in text
    assert run("test")[0] == 1


def test_list_shows_who_is_configured(configured: Loopback) -> None:
    _, text = run("list", "--json")
    [found] = json.loads(text)["providers"]
    assert (found["provider"], found["tier"], found["status"], found["breaker"]) == ("openai", 1, "active", "closed")
    assert found["price"]["output"] == 2.0
    _, text = run("list", "--all", "--json")
    every = {each["provider"]: each for each in json.loads(text)["providers"]}
    assert every["ai21"]["status"] == "retired"
    assert every["groq"]["missing"] == ["GROQ_API_KEY"]
    assert KEY not in text


def test_test_calls_each(configured: Loopback) -> None:
    code, text = run("test", "--json")
    assert code == 0
    [result] = json.loads(text)["results"]
    assert (result["provider"], result["status"]) == ("openai", "success")
    configured.server.play(Refuse(401, "wrong key"))
    code, text = run("test")
    assert code == 1
    assert "wrong key" in text


def test_ask_prints_the_answer_and_who_gave_it(configured: Loopback) -> None:
    configured.server.play(Say("Forty-two [or so]."))
    code, text = run("ask", "What is it?")
    assert code == 0
    assert "Forty-two [or so]." in text
    assert "openai/gpt-5-mini, 19 tokens, 0.000017 USD" in text.replace("\n", " ")
    configured.server.play(Say("Again."))
    _, text = run("ask", "What?", "--json", "-m", "openai/gpt-4.1-mini")
    answer = json.loads(text)
    assert (answer["text"], answer["provider"]) == ("Again.", "openai")
    assert configured.server.seen[-1].body["model"] == "gpt-4.1-mini"


def test_ask_that_fails_says_why_and_ends_with_1(configured: Loopback) -> None:
    configured.server.play(Refuse(401, "wrong key"))
    code, text = run("ask", "What is it?")
    assert code == 1
    assert "OPENAI_API_KEY" in text


def test_route_explains_without_asking(configured: Loopback) -> None:
    _, text = run("route", "Hello", "--explain", "--json", "--strategy", "cheapest")
    found = json.loads(text)
    assert found["strategy"] == "cheapest"
    assert [place["provider"] for place in found["order"]] == ["openai"]
    reasons = {each["provider"]: each["reason"] for each in found["passed_over"]}
    assert reasons["groq"] == "not configured: set GROQ_API_KEY"
    assert configured.server.seen == []
    assert run("route", "--strategy", "nonsense")[0] == 2


def test_a_provider_of_ones_own(loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        f"""
        [providers.mine]
        base_url = "{loopback.server.url}/v1"
        api_key_env = "MINE_API_KEY"
        models = ["my-model"]
        [routes.default]
        models = ["mine"]
        [[prices]]
        provider = "mine"
        model = "my-model"
        input = 1.0
        output = 1.0
        since = 2026-01-01
        """,
        encoding="utf-8",
    )
    monkeypatch.setenv("MINE_API_KEY", KEY)
    monkeypatch.setenv("AOS_MODELS_FILE", str(file))
    _, text = run("ask", "Hello", "--json")
    answer = json.loads(text)
    assert (answer["provider"], answer["cost_usd"]) == ("mine", pytest.approx(0.000019))
    file.write_text("budgets = 3", encoding="utf-8")
    code, text = run("ask", "Hello")
    assert code == 1
    assert "'budgets'" in text
