"""The facade under the names people know: every part of it does the thing."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from aos.governance.decision import Option
from aos.kernel import errors
from aos.kernel.errors import AosError, InvalidInput, NotFound
from tests.agents.test_agent import Asker, Counter
from tests.harness import MemorySystem
from tests.workflows.test_tasks import WORK, Boss, Left, Right

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Counter(), Left(), Right(), Boss(), workflows=(WORK,))


async def test_the_system_is_started_used_and_stopped_under_its_known_names(world: MemorySystem) -> None:
    system = world.system
    await system.initialize()
    await system.start()
    system.register_agent(Asker())
    assert {agent["id"] for agent in await system.list_agents()} == {"counter", "left", "right", "boss", "asker"}
    await system.process_event({"agent_id": "counter", "type": "counter.add", "data": {"by": 2}})
    await system.process_event({"to": "counter", "event_type": "counter.add", "payload": {"by": 3}, "id": "e1"})
    await system.process_event({"to": "counter", "event_type": "counter.add", "payload": {"by": 3}, "id": "e1"})
    await system.send_message("asker", "counter", "counter.add", {"by": 5})
    await system.broadcast_message("asker", "counter.add", {"by": 10})
    await world.settle()
    agent = await system.get_agent("counter")
    assert agent["state"]["total"] == 20
    task_id = await system.execute_workflow("work", {"target": "here"})
    await world.settle()
    assert (await system.tasks.detail(task_id))["status"] == "completed"
    decision = system.make_decision("Which?", [Option(name="a", merits={"x": 1})], {"x": 1})
    assert decision.selected == "a"
    assert set(await system.run_maintenance()) == {"repairs", "idempotency_keys", "hosts", "wakes"}
    status = await system.get_system_status()
    assert (status["service"], status["status"]) == ("AgentOperatingSystem", "operational")
    assert system.unregister_agent("asker")
    assert not system.unregister_agent("asker")
    with pytest.raises(NotFound):
        await system.get_agent("asker")
    await system.stop()


async def test_an_event_must_say_for_whom_and_what(world: MemorySystem) -> None:
    for event in ({}, {"agent_id": "counter"}, {"type": "x"}):
        with pytest.raises(InvalidInput, match="agent_id"):
            await world.system.process_event(event)


async def test_an_agent_registered_once_sleeps_wakes_by_a_message_and_keeps_its_state(world: MemorySystem) -> None:
    """The analogy to an operating system, end to end: a process that is asleep, and inter-process communication."""
    world.system.register_agent(Asker())
    assert (await world.system.directory.status("counter"))["status"] == "created"
    await world.system.process_event({"agent_id": "asker", "type": "asker.go", "data": {"by": 7}})
    await world.settle()
    first = await world.system.directory.status("counter")
    assert (first["status"], first["version"]) == ("sleeping", 2)
    await world.system.process_event({"agent_id": "asker", "type": "asker.go", "data": {"by": 1}})
    await world.settle()
    assert (await world.state("counter"))["total"] == 8
    assert (await world.system.directory.status("counter"))["version"] == 4


def _leaves(cls: type[AosError]) -> list[type[AosError]]:
    return [cls, *(leaf for sub in cls.__subclasses__() if sub.__module__ == errors.__name__ for leaf in _leaves(sub))]


def test_every_error_has_a_code_of_its_own_and_survives_a_pickle() -> None:
    classes = _leaves(AosError)
    codes = [cls.code for cls in classes]
    assert len(set(codes)) == len(codes)
    for cls in classes:
        error = cls("What to do.", details={"a": 1}, retry_after=2.5)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.to_json(), copy.retry_after) == (cls, error.to_json(), 2.5)
        assert cls.severity in ("debug", "info", "warning", "error", "critical")
        assert set(error.to_json()) == {"code", "message", "retryable", "details"}
    assert AosError.code == "unknown_error"
    assert errors.InvalidInput.code == "validation_error"
    assert errors.TurnTimedOut.code == "timeout_error"
    assert errors.NotFound.code == "not_found"
    assert errors.PermissionDenied.code == "permission_denied"
    assert (errors.SettingInvalid.code, errors.SettingMissing.code) == ("config_invalid", "config_missing")


def test_the_tree_in_the_docs_of_the_errors_is_the_tree_there_is() -> None:
    documented = errors.__doc__ or ""
    for cls in _leaves(AosError):
        assert cls.__name__ in documented


def test_local_settings_are_not_in_git() -> None:
    assert "local.settings.json" in (ROOT / ".gitignore").read_text().splitlines()
    assert "local.settings.json" in (ROOT / ".funcignore").read_text().splitlines()
    assert (ROOT / "local.settings.example.json").is_file()


def test_declared_agents_are_deployed() -> None:
    ignored = (ROOT / ".funcignore").read_text().splitlines()
    assert not {"*.md", "agents", "*.agent.md"} & set(ignored)


def test_every_term_of_the_glossary_has_its_module() -> None:
    import importlib
    import re

    for name in re.findall(r"`(aos[.\w]+|agents)`", (ROOT / "docs" / "glossary.md").read_text()):
        importlib.import_module(name)
