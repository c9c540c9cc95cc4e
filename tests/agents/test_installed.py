"""Agents that other installed packages offer."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from aos.agents import AgentRegistry, registry
from aos.agents.installed import installed_agents
from aos.kernel.errors import SettingInvalid
from tests.agents.test_agent import Asker, Counter


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Any:
    def offered(*values: str) -> None:
        points = [EntryPoint(f"p{n}", value, "aos.agents") for n, value in enumerate(values)]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)

    return offered


def test_an_entry_point_names_a_class_or_a_module(offer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shop_agents")
    module.AGENTS = (Asker,)  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "shop_agents", module)
    offer("tests.agents.test_agent:Counter", "shop_agents")
    found = installed_agents("", registry_file=None, environ={})
    assert {agent.type for agent in found} == {Counter.type, Asker.type}


@pytest.mark.parametrize(
    ("value", "said"),
    [("nowhere_at_all:X", "cannot be loaded from 'nowhere_at_all:X'"), ("json:dumps", "Name an `Agent` class")],
)
def test_one_that_cannot_be_used_is_named(offer: Any, value: str, said: str) -> None:
    offer(value)
    with pytest.raises(SettingInvalid, match=said):
        registry.discover_installed(AgentRegistry())
