from __future__ import annotations

import jsonschema
import pytest
from pydantic import ValidationError

from aos.tools.node import NodeResult, NodeTask, node_schemas


def test_the_fields_are_exactly_those_of_the_contract() -> None:
    assert list(NodeTask.model_fields) == ["task_type", "payload", "metadata"]
    assert list(NodeResult.model_fields) == ["success", "result", "latency", "source", "error", "metadata"]
    with pytest.raises(ValidationError, match="extra"):
        NodeTask.model_validate({"task_type": "a", "payload": {}, "priority": 1})


@pytest.mark.parametrize("given", [{}, {"metadata": None}, {"metadata": {}}])
def test_a_results_metadata_is_always_there(given: dict[str, None]) -> None:
    result = NodeResult.model_validate({"success": True, "result": "done", **given})

    assert result.metadata == {}
    assert result.metadata.get("missing") is None
    assert result.model_dump()["metadata"] == {}


def test_a_tasks_metadata_may_be_missing() -> None:
    assert NodeTask(task_type="a", payload={}).metadata is None


def test_what_a_task_is_made_from_is_never_changed_through_it() -> None:
    payload = {"deep": {"list": [1]}}
    metadata = {"trace": {"id": "t"}}
    task = NodeTask(task_type="a", payload=payload, metadata=metadata)

    task.payload["deep"]["list"].append(2)
    assert task.metadata is not None
    task.metadata["trace"]["id"] = "other"

    assert payload == {"deep": {"list": [1]}}
    assert metadata == {"trace": {"id": "t"}}


def test_what_a_result_is_made_from_is_never_changed_through_it() -> None:
    inner = {"list": [1]}
    metadata = {"trace": {"id": "t"}}
    result = NodeResult(success=True, result=inner, metadata=metadata)
    inner["list"].append(2)
    result.metadata["trace"]["id"] = "other"

    assert result.result == {"list": [1]}
    assert metadata == {"trace": {"id": "t"}}


def test_both_survive_json() -> None:
    task = NodeTask(task_type="a", payload={"b": [1, None]}, metadata={"c": 1})
    result = NodeResult(success=False, result={}, latency=0.5, source="x", error="no", metadata={"k": 1})

    assert NodeTask.model_validate_json(task.model_dump_json()) == task
    assert NodeResult.model_validate_json(result.model_dump_json()) == result


def test_the_schemas_describe_what_travels() -> None:
    schemas = node_schemas()

    jsonschema.validate({"task_type": "a", "payload": {}, "metadata": None}, schemas["NodeTask"])
    jsonschema.validate({"success": True, "result": "x", "metadata": None}, schemas["NodeResult"])
    jsonschema.validate(NodeResult(success=True, result={}).model_dump(mode="json"), schemas["NodeResult"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"task_type": "a"}, schemas["NodeTask"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"success": True, "result": 4}, schemas["NodeResult"])
