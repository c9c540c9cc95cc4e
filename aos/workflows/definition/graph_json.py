"""A workflow as nodes and edges in JSON, for programs that draw it themselves."""

from __future__ import annotations

from typing import Any

from aos.workflows.definition.graph import as_graph
from aos.workflows.definition.step import Action, Step
from aos.workflows.definition.workflow import Workflow


def graph_json(workflow: Workflow) -> dict[str, Any]:
    """Steps and what each needs, in the order of the steps. Raises `InvalidInput` where it is not a graph.

    Returns:
        `name`, `version`, `title`, `nodes` (`id`, `title`, `kind`, `who`, `optional`, and `when` and `undo` where
        there are any) and `edges` (`from` is done before `to`).
    """
    graph = as_graph(workflow)
    return {
        "name": workflow.name,
        "version": workflow.version,
        "title": workflow.title or workflow.name,
        "nodes": [_node(step) for step in graph.steps],
        "edges": [
            {"from": graph.steps[other].id, "to": step.id}
            for step, needs in zip(graph.steps, graph.needs, strict=True)
            for other in needs
        ],
    }


def who(action: Action) -> str:
    """Who or what does an action, as far as it is known before a run: an agent, a tool, a workflow, a team."""
    if action.map is not None:
        return who(action.map.step)
    if action.loop is not None:
        inner = action.loop.step or action.loop.steps[0]
        return who(inner)
    if action.wait is not None:
        return action.wait.kind
    if action.model is not None:
        return action.route or "model"
    if isinstance(action.team, dict):
        return str(action.team.get("name") or "team")
    return action.agent or action.tool or action.workflow or action.team or ""


def _node(step: Step) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": step.id,
        "title": step.title or step.id,
        "kind": step.kind,
        "who": who(step),
        "optional": step.optional,
    }
    if step.when is not None:
        node["when"] = step.when
    if step.compensate is not None:
        node["undo"] = step.compensate.agent or step.compensate.tool
    return node
