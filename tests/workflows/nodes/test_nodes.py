"""Nodes that hand work on: routed by type, tried again, chained, and given to a crew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aos.kernel.errors import StoreUnavailable
from aos.tools.node import Node, NodeResult, NodeTask
from aos.workflows.nodes.chained_control_node import EMPTY, ChainedControlNode
from aos.workflows.nodes.control_node import ControlNode
from aos.workflows.nodes.crew_manager import CrewManager


class Scripted:
    """A node that answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Callable[[NodeTask], NodeResult]) -> None:
        self.answer = answer
        self.asked: list[NodeTask] = []
        self.prepared = 0

    async def initialize(self) -> None:
        self.prepared += 1

    async def handle(self, task: NodeTask) -> NodeResult:
        self.asked.append(task)
        return self.answer(task)

    def get_stats(self) -> dict[str, Any]:
        return {}


def saying(result: str | dict[str, Any]) -> Scripted:
    return Scripted(lambda _: NodeResult(success=True, result=result))


def failing() -> Scripted:
    return Scripted(lambda _: NodeResult(success=False, result="no", error="broken"))


def task(kind: str, **payload: Any) -> NodeTask:
    return NodeTask(task_type=kind, payload=payload)


async def test_a_task_goes_to_the_node_of_its_type() -> None:
    good = saying("done")
    control = ControlNode({"work": good})
    assert isinstance(control, Node)
    await control.initialize()
    assert (await control.handle(task("work", n=1))).result == "done"
    assert (good.prepared, good.asked[0].payload) == (1, {"n": 1})
    unknown = await control.handle(task("play"))
    assert (unknown.success, unknown.error, unknown.result) == (False, "NODE_NOT_FOUND", "Unknown node: play")


async def test_what_fails_is_tried_as_often_as_allowed() -> None:
    bad = failing()
    control = ControlNode({"work": bad}, max_retries=2)
    result = await control.handle(task("work"))
    assert (len(bad.asked), result.error, result.metadata["last_error"]) == (3, "RETRY_EXCEEDED", "broken")
    assert control.get_stats() == {"work": {"attempts": 3, "successes": 0, "failures": 3}}


async def test_what_is_raised_is_a_failed_try_unless_storage_or_bus_are_down() -> None:
    def fail(error: Exception) -> Scripted:
        def answer(_: NodeTask) -> NodeResult:
            raise error

        return Scripted(answer)

    result = await ControlNode({"work": fail(ValueError("odd"))}, max_retries=0).handle(task("work"))
    assert result.metadata["last_error"] == "ValueError: odd"
    with pytest.raises(StoreUnavailable):
        await ControlNode({"work": fail(StoreUnavailable("Down."))}).handle(task("work"))


async def test_a_pipeline_hands_each_result_on() -> None:
    first, second = saying({"n": 1}), Scripted(lambda t: NodeResult(success=True, result={"got": t.payload["input"]}))
    chained = ChainedControlNode({"a": first, "b": second})
    steps = [{"type": "a", "payload": {"x": 1}, "metadata": {"role": "clerk", "max_tokens": 9}}, {"type": "b"}]
    result = await chained.handle(task("pipeline", steps=steps))
    assert result.result == {"got": {"n": 1}}
    assert first.asked[0].payload == {"x": 1, "role": "clerk", "max_tokens": 9}
    assert (await chained.handle(task("a"))).result == {"n": 1}


async def test_the_first_failure_of_a_pipeline_is_its_result() -> None:
    last = saying("never")
    chained = ChainedControlNode({"bad": failing(), "last": last}, max_retries=0)
    result = await chained.handle(task("pipeline", steps=[{"type": "bad"}, {"type": "last"}]))
    assert (result.success, result.error, last.asked) == (False, "RETRY_EXCEEDED", [])
    unknown = await chained.handle(task("pipeline", steps=[{"type": "nothing"}]))
    assert unknown.error == "NODE_NOT_FOUND"


async def test_pipelines_that_are_empty_wrong_or_bring_nothing() -> None:
    chained = ChainedControlNode({"mute": saying("")})
    assert (await chained.handle(task("pipeline", steps=[]))).result == EMPTY
    assert (await chained.handle(task("pipeline"))).success
    assert (await chained.handle(task("pipeline", steps=[{"type": "mute"}]))).error == "PIPELINE_NO_RESULT"
    assert (await chained.handle(task("pipeline", steps=[{"kind": "mute"}]))).error == "INVALID_PIPELINE"


async def test_a_crew_has_roles_and_goals_and_its_agents_are_told() -> None:
    writer, control = saying("written"), saying("routed")
    crew = CrewManager()
    crew.register_agent("writer", writer, role="author")
    assert crew.assign_goal("writer", "a page a day")
    assert not crew.assign_role("nobody", "x")
    assert crew.get_roster() == {"writer": {"role": "author", "goal": "a page a day", "status": "idle"}}
    await crew.initialize()
    assert (await crew.handle(task("write", agent_id="writer"))).result == "written"
    assert writer.asked[0].payload == {"agent_id": "writer", "role": "author", "goal": "a page a day"}
    assert (await crew.handle(task("write", agent_id="nobody"))).error == "AGENT_NOT_FOUND"
    assert (await crew.handle(task("write"))).error == "AGENT_NOT_FOUND"
    crew.set_control_node(control)
    assert (await crew.handle(task("write"))).result == "routed"
    assert crew.get_stats() == {"agents": {"writer": {"handled": 1}}}
    assert crew.deregister_agent("writer")
    assert not crew.deregister_agent("writer")
