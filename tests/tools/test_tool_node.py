"""Tools behind the node contract."""

from __future__ import annotations

import asyncio

import pytest

from aos.reliability.retry import RetryConfig
from aos.tools import tool
from aos.tools.calculator import calculator
from aos.tools.node import Node, NodeTask
from aos.tools.tool_node import ToolNode, ToolTask


@pytest.fixture
def node() -> ToolNode:
    made = ToolNode()
    made.register_tool(calculator)
    return made


def task(name: str, **given: object) -> NodeTask:
    return NodeTask(task_type="tool", payload={"tool": name, "input": given}, metadata={"trace_id": "t"})


async def test_a_task_is_done_and_counted(node: ToolNode) -> None:
    assert isinstance(node, Node)
    result = await node.handle(task("calculator", expression="6*7"))
    assert result.success
    assert isinstance(result.result, dict)
    assert result.result["result"] == 42
    assert (result.source, result.metadata) == ("calculator", {"trace_id": "t"})
    counted = node.get_stats()["tools"]["calculator"]
    assert (counted["calls"], counted["successes"], counted["failures"], counted["timeouts"]) == (1, 1, 0, 0)


async def test_failures_are_results_that_say_why(node: ToolNode) -> None:
    @tool(effect="irreversible")
    async def pay() -> None: ...

    node.register_tool(pay)
    unknown = await node.handle(task("x"))
    assert (unknown.success, unknown.error) == (False, "Tool 'x' not found")
    wrong = await node.execute(ToolTask(tool="calculator", input={"expression": "six"}))
    assert (wrong.success, wrong.error_type) == (False, "validation_error")
    guarded = await node.execute(ToolTask(tool="pay"))
    assert guarded.error_type == "not_allowed_now"
    other = await node.handle(NodeTask(task_type="memory", payload={}))
    assert not other.success
    shapeless = await node.handle(NodeTask(task_type="tool", payload={"tol": "x"}))
    assert not shapeless.success


async def test_a_flaky_tool_is_tried_again_and_a_slow_one_is_cut_off(node: ToolNode) -> None:
    failures = [ConnectionError("cut")]

    @tool(effect="read", retry=RetryConfig(base_delay_ms=1))
    async def flaky() -> str:
        if failures:
            raise failures.pop()
        return "ok"

    @tool(effect="read")
    async def hang() -> None:
        await asyncio.Event().wait()

    node.register_tool(flaky)
    node.register_tool(hang)
    assert (await node.execute(ToolTask(tool="flaky"))).result == "ok"
    cut = await node.execute(ToolTask(tool="hang", timeout_seconds=0.02))
    assert (cut.success, cut.error_type) == (False, "tool_timeout")
