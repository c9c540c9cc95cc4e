"""Rules: one event leads to actions, once each; circles are told of, and end."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.kernel.errors import AlreadyExists, InvalidInput
from aos.workflows.events.declared_events import DeclaredEvents, EventFile, read_event_file
from aos.workflows.events.hops import MOST_HOPS, hops_of
from tests.harness import MemorySystem


class Seen(BaseModel):
    heard: list[Any] = []


def agent(name: str, publishes: str | None = None) -> Agent[Any]:
    """Notes what it is told, and publishes it again where it is given a topic."""

    class Noting(Agent[Seen]):
        type = name
        purpose = "Note what it is told"

        @on("do")
        async def do(self, turn: Turn, state: Seen, data: Any) -> None:
            state.heard.append(data)
            if publishes is not None:
                turn.publish(publishes, "done", data)

    return Noting()


def world_of(folder: Path, content: dict[str, Any], *agents: Agent[Any]) -> MemorySystem:
    (folder / "shop.rules.yaml").write_text(yaml.safe_dump(content))
    return MemorySystem(*agents, folders=[str(folder)])


async def heard(world: MemorySystem, name: str) -> Any:
    state = await world.state(name)
    return state["heard"] if state else []


async def test_an_event_leads_to_each_action_once_and_to_those_that_follow(tmp_path: Path) -> None:
    rules = [
        {
            "name": "order",
            "trigger_event": "order.placed",
            "where": "event.data.amount > 0",
            "actions": [
                {"agent": "stock", "action": "do", "with": {"reserve": "${{ event.data.item }}"}},
                {"agent": "customer:${{ event.data.who }}", "action": "do"},
                {"publish": "mail.wanted", "action": "mail", "with": "${{ event.data.who }}"},
            ],
        },
        {"name": "mail", "trigger_event": "mail.*", "actions": [{"agent": "post", "action": "do"}]},
    ]
    world = world_of(tmp_path, {"rules": rules}, agent("stock"), agent("customer"), agent("post"))
    event = await world.system.messages.publish("order.placed", "placed", {"item": "tea", "who": "ann", "amount": 2})
    sent = world.outbox.sent[-1]
    await world.settle()
    await world.system.messages.publish("order.placed", "placed", {"item": "air", "who": "bob", "amount": 0})
    await world.system.messages.publish("order.placed", "placed", {"item": "air"})
    world.outbox.sent.append(sent)
    await world.settle()
    assert await heard(world, "stock") == [{"reserve": "tea"}]
    [customer] = await heard(world, "customer:ann")
    assert (customer["id"], customer["data"]["item"]) == (event, "tea")
    assert [mail["data"] for mail in await heard(world, "post")] == ["ann"]
    assert await world.state("rule:order") == {"followed": 1, "unreadable": 1}


async def test_a_rule_whose_template_has_no_value_does_nothing_and_is_a_dead_letter(tmp_path: Path) -> None:
    actions = [{"agent": "a", "action": "do"}, {"agent": "a", "action": "do", "with": "${{ event.data.missing }}"}]
    world = world_of(tmp_path, {"rules": [{"name": "r", "trigger_event": "t", "actions": actions}]}, agent("a"))
    await world.system.messages.publish("t", "t", {})
    await world.settle()
    assert await heard(world, "a") == []
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.agent == "rule:r"
    assert "missing" in letter.error["message"]


CIRCLE = {
    "rules": [
        {"name": "a", "trigger_event": "to.a", "actions": [{"agent": "left", "action": "do", "leads_to": ["to.b"]}]},
        {"name": "b", "trigger_event": "to.b", "actions": [{"publish": "to.a", "action": "again"}]},
    ]
}


async def test_a_circle_is_told_of_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        world = world_of(tmp_path, CIRCLE, agent("left", publishes="to.b"))
    assert "rule:a -> rule:b -> rule:a" in caplog.text
    assert "rule:a -> rule:b -> rule:a" in world.system.declared_events.warnings[0]
    await world.system.messages.publish("to.a", "first")
    await world.settle()
    assert len(await heard(world, "left")) == MOST_HOPS // 2
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["code"] == "too_many_hops"
    await world.system.messages.publish("to.a", "second")
    await world.settle(until=timedelta())
    assert len(await heard(world, "left")) == MOST_HOPS


def test_what_is_not_a_circle() -> None:
    rules = [
        {"name": "a", "trigger_event": "x", "actions": [{"publish": "y", "action": "t"}]},
        {"name": "b", "trigger_event": "y", "actions": [{"publish": "z", "action": "t"}]},
        {"name": "c", "trigger_event": "y", "actions": [{"publish": "z", "action": "t"}]},
    ]
    patterns = [{"name": "all", "conditions": [{"event": "#"}]}]
    assert DeclaredEvents([EventFile.model_validate({"rules": rules, "patterns": patterns})]).warnings == []


def test_circles_through_patterns_types_and_oneself() -> None:
    through = {
        "rules": [{"name": "r", "trigger_event": "aos.patterns.p", "actions": [{"publish": "t", "action": "kind"}]}],
        "patterns": [{"name": "p", "conditions": [{"event": "kind"}]}],
    }
    [warning] = DeclaredEvents([EventFile.model_validate(through)]).warnings
    assert "rule:r -> pattern:p -> rule:r" in warning
    own = {"rules": [{"name": "r", "trigger_event": "t.*", "actions": [{"publish": "t.x", "action": "kind"}]}]}
    assert "rule:r -> rule:r" in DeclaredEvents([EventFile.model_validate(own)]).warnings[0]


def test_hops_are_read_from_labels() -> None:
    assert hops_of(["untrusted:web"]) == 0
    assert hops_of(["hops:1", "hops:3", "hops:2"]) == 3
    assert hops_of(["hops"]) == MOST_HOPS, "labels were cut: a circle must end nevertheless"


async def test_workflows_are_started_where_there_are_any(tmp_path: Path) -> None:
    rule = {"name": "r", "trigger_event": "t", "actions": [{"workflow": "ship", "with": {"to": "${{ event.data }}"}}]}
    with pytest.raises(InvalidInput, match="'rule:r' starts workflow 'ship'"):
        DeclaredEvents([EventFile.model_validate({"rules": [rule]})])
    step = {"id": "pack", "agent": "packer", "message": "do", "with": {"for": "${{ inputs.to }}"}}
    workflow = {"name": "ship", "inputs": {"to": {"type": "string"}}, "steps": [step]}
    (tmp_path / "ship.workflow.yaml").write_text(yaml.safe_dump(workflow))
    world = world_of(tmp_path, {"rules": [rule]}, agent("packer"))
    for place in ("Vienna", "Graz"):
        await world.system.messages.publish("t", "t", place)
    await world.system.messages.publish("t", "t", 7)
    await world.settle(until=timedelta(seconds=5))
    assert [data["for"] for data in await heard(world, "packer")] == ["Vienna", "Graz"]
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.agent == "rule:r", "7 is no text"


ACTION = {"agent": "a", "action": "do"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("- a list", "declares nothing"),
        ("a: [", "cannot be read"),
        ("{rules: [{name: r, trigger_event: t, actions: []}]}", "rules.0.actions"),
        ("{rules: [{name: r, trigger_event: t, actions: [{agent: a}]}]}", "needs `action`"),
        ("{rules: [{name: r, trigger_event: t, actions: [{agent: a, publish: b, action: c}]}]}", "exactly one"),
        ("{rules: [{name: r, trigger_event: t, actions: [{agent: A B, action: c}]}]}", "address"),
        ("{rules: [{name: r, trigger_event: t, where: 'item > 1', actions: [{agent: a, action: c}]}]}", "'item'"),
        ("{patterns: [{name: p, conditions: [{event: a, where: '1 +'}]}]}", "expression"),
        ("{patterns: [{name: p, conditions: [{event: a, threshold: 101}]}]}", "threshold"),
        ("{patterns: [{name: p, conditions: [{event: a}], key: 'inputs.x'}]}", "key"),
        (
            "{patterns: [{name: p, temporal_relationship: sequence, conditions: [{event: a, threshold: 51}]}]}",
            "50 at most",
        ),
        ("{patterns: [{name: p, window: soon, conditions: [{event: a}]}]}", "window"),
    ],
)
def test_files_that_are_not_right_say_so(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "x.rules.yaml"
    file.write_text(content)
    with pytest.raises(InvalidInput, match=r"x\.rules\.yaml") as caught:
        read_event_file(file)
    assert problem in caught.value.message


def test_two_of_one_name_are_refused() -> None:
    file = EventFile.model_validate({"rules": [{"name": "r", "trigger_event": "t", "actions": [ACTION]}]})
    with pytest.raises(AlreadyExists, match="two rules called 'r'"):
        DeclaredEvents([file, file])
