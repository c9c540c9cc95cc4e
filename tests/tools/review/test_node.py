from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from aos.kernel.errors import InvalidInput
from aos.tools.node import Node, NodeTask
from aos.tools.review.examine import Examination
from aos.tools.review.node import ExaminationNode
from tests.tools.review.trees import RISKY_TREE, write


async def test_an_examination_can_be_asked_for_as_a_node(tmp_path: Path) -> None:
    node: Node = ExaminationNode("documentation")
    await node.initialize()
    task = NodeTask(
        task_type="review.documentation",
        payload={"directory": str(write(tmp_path, RISKY_TREE))},
        metadata={"trace": "t1"},
    )
    before = task.model_dump_json()

    result = await node.handle(task)

    assert isinstance(node, Node)
    assert result.success
    assert result.error is None
    assert result.source == "review.documentation"
    assert result.latency is not None
    assert result.latency > 0
    assert Examination.model_validate(result.result).domain == "documentation"
    assert result.metadata.get("trace") == "t1"
    assert result.metadata.get("code") is None
    assert task.model_dump_json() == before
    stats = node.get_stats()
    assert (stats["handled"], stats["succeeded"], stats["failed"]) == (1, 1, 0)
    json.dumps(stats)


@pytest.mark.parametrize(
    ("task", "code"),
    [
        (NodeTask(task_type="review.code", payload={"directory": "/nowhere/at/all"}), "not_found"),
        (NodeTask(task_type="review.code", payload={}), "validation_error"),
        (NodeTask(task_type="review.security", payload={"directory": "."}), "validation_error"),
    ],
)
async def test_a_failure_is_a_result(task: NodeTask, code: str) -> None:
    node = ExaminationNode("code")

    result = await node.handle(task)

    assert not result.success
    assert result.error
    assert result.metadata["code"] == code
    assert node.get_stats()["failed"] == 1


def test_there_are_three_domains() -> None:
    with pytest.raises(InvalidInput, match="There are"):
        ExaminationNode(cast("Any", "style"))
