from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from aos.llm import errors as e
from aos.llm.generation import generate_with_fallback
from aos.llm.llm_manager import (
    LLMManager,
    LLMManagerConfig,
    ModelConfig,
    ModelStatus,
    ModelTokens,
    default_models,
)
from aos.llm.llm_node import LLMNode, LLMNodeConfig, LLMTask
from aos.llm.tries import AllModelsFailed
from aos.testing.models import ModelServer, Say
from tests.llm.scripted import Stage, profile, said, stage

KEYS = {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x", "GOOGLE_API_KEY": "x"}


def scene_of(**plays: object) -> Stage:
    names = {"openai": "gpt-4o", "anthropic": "claude-3-opus", "google": "gemini-1.5-pro", "ollama": "llama3"}
    return stage(*(profile(name, model) for name, model in names.items()), **plays)  # type: ignore[arg-type]


async def test_the_highest_priority_with_a_key_is_asked_first() -> None:
    scene = scene_of()
    manager = LLMManager(scene.router, environ={"ANTHROPIC_API_KEY": "x"})
    assert [m.name for m in manager.available()] == ["claude-3-opus", "llama3"]
    found = await manager.complete("Hello")
    assert (found.status, found.model_name) == (ModelStatus.SUCCESS, "claude-3-opus")
    assert found.tokens.total == 1_500
    assert found.cost == pytest.approx(0.015 + 0.5 * 0.075)
    request = scene.script.seen[0].request
    assert request.messages[0].text == "You are a helpful AI assistant."
    assert (request.max_tokens, request.temperature) == (1_024, 0.7)


async def test_force_and_local_only() -> None:
    scene = scene_of()
    manager = LLMManager(scene.router, environ=KEYS)
    assert (await manager.complete("Hello", force_model="llama3")).model_name == "llama3"
    local = LLMManager(scene.router, LLMManagerConfig(local_only=True), environ=KEYS)
    assert (await local.complete("Hello")).model_name == "llama3"
    assert (await local.complete("Hello", force_model="gpt-4o")).status is ModelStatus.UNAVAILABLE


async def test_no_text_is_invented_where_no_model_answers() -> None:
    scene = scene_of(openai=[e.ProviderFailed("no")] * 3)
    config = LLMManagerConfig(models=default_models()[:1])
    found = await LLMManager(scene.router, config, environ=KEYS).complete("Hello")
    assert (found.status, found.content, found.cost) == (ModelStatus.ERROR, "", 0)
    assert "All 1 AI models" in (found.error_message or "")
    none = await LLMManager(scene.router, config, environ={}).complete("Hello")
    assert (none.status, none.content) == (ModelStatus.UNAVAILABLE, "")


async def test_so_many_models_are_tried() -> None:
    scene = scene_of(openai=[e.ModelTimedOut("slow")], anthropic=[e.ModelTimedOut("slow")])
    manager = LLMManager(scene.router, LLMManagerConfig(max_attempts=2), environ=KEYS)
    assert (await manager.complete("Hello")).status is ModelStatus.TIMEOUT
    assert manager.get_stats()["failed_calls"] == 2


def test_tokens_add_up_and_priorities_have_bounds() -> None:
    assert ModelTokens(prompt=2, completion=3).total == 5
    with pytest.raises(ValidationError):
        ModelConfig(name="m", provider="p", priority=101)


async def test_a_node_refuses_what_is_not_for_it() -> None:
    node = LLMNode(LLMManager(scene_of().router, environ=KEYS))
    assert (await node.handle(LLMTask(task_type="tool"))).error == "unsupported_task_type"
    assert (await node.handle(LLMTask(task_type="llm"))).error == "missing_prompt"
    found = await node.handle(LLMTask(task_type="llm", payload={"prompt": "Hello"}, metadata={"trace_id": "t"}))
    assert found.result == {"content": "openai says"}
    assert found.metadata["trace_id"] == "t"
    broken = LLMNode(LLMManager(scene_of().router, environ={}, config=LLMManagerConfig(models=default_models()[:1])))
    assert (await broken.handle(LLMTask(task_type="llm", payload={"prompt": "Hello"}))).error == "llm_api_error"


async def test_generate_with_fallback_tells_what_happened() -> None:
    scene = stage(a=[e.ModelTimedOut("slow")], b=[said("answer")])
    found = await generate_with_fallback(scene.router, "Hello", system_prompt="Be brief.")
    assert (found.content, found.provider, found.attempt_number, found.fallback_used) == ("answer", "b", 2, True)
    assert [(a["provider"], a["status"]) for a in found.attempts] == [("a", "timeout"), ("b", "success")]
    assert scene.script.seen[0].request.max_tokens == 4_000
    preferred = await generate_with_fallback(scene.router, "Hello", "c")
    assert (preferred.provider, preferred.fallback_used, preferred.tokens_used) == ("c", False, 1_500)


async def test_generate_with_fallback_names_the_last_error() -> None:
    scene = stage(a=[e.ModelTimedOut("1")], b=[e.ModelTimedOut("2")], c=[e.ModelTimedOut("3")])
    with pytest.raises(AllModelsFailed, match=r"All 3 AI models that were asked failed\. Last error: 3"):
        await generate_with_fallback(scene.router, "Hello")


async def test_a_node_from_its_own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ModelServer(Say("from the node"), key="node-key-123") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        config = LLMNodeConfig(name="writer", providers=["openai"], api_keys={"openai": SecretStr("node-key-123")})
        assert "node-key-123" not in repr(config)
        node = LLMNode(config)
        found = await node.handle(LLMTask(task_type="llm", payload={"prompt": "Hello"}))
        await node.aclose()
    assert (found.success, found.result, found.source) == (True, {"content": "from the node"}, "writer")
