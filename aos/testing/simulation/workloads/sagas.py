"""Runs of workflows whose steps fail, dawdle and keep silent: each ends once, does no step twice, and undoes it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.agents.work import WORK, Work
from aos.kernel.deadletter import DeadLetter
from aos.kernel.errors import RetryableError, TerminalError
from aos.kernel.journal import JournalEntry
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import ERROR_TYPE
from aos.kernel.turn import Turn as KernelTurn
from aos.testing.blobs import MemoryBlobStore
from aos.testing.clock import VirtualClock
from aos.testing.simulation.workload import Actor, Ending, Workload
from aos.testing.tables import MemoryTableStore
from aos.workflows.definition.graph import Graph, as_graph
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import CANCEL, START, StartRun
from aos.workflows.run.marks import Mark, Marks
from aos.workflows.run.records import UNDO
from aos.workflows.run.run_agent import RunAgent
from aos.workflows.run.run_state import RunState
from aos.workflows.status import RunStatus

_ITEMS = 7
_ATTEMPTS = 2
_UNDO_ATTEMPTS = 3
_PATIENCE = 40
_RETRIES = AgentPolicy(retry=RetryPolicy(max_attempts=30, max_delay=20))
_RETRY = {"attempts": _ATTEMPTS, "delay": "2s"}


def _step(id: str, *needs: str) -> dict[str, Any]:
    undo = {"agent": f"hand:{id}", "with": {"undo": True}}
    return {"id": id, "agent": f"hand:{id}", "needs": needs, "timeout": _PATIENCE, "retry": _RETRY, "compensate": undo}


_SAGA = Workflow.from_json(
    {
        "name": "saga",
        "steps": [_step("flight"), _step("hotel", "flight"), _step("car", "flight", "hotel")],
        "on_failure": "compensate",
        "timeout": "15m",
    }
)
_ITEM = {"agent": "hand:item", "with": {"n": "${{ item }}"}, "timeout": _PATIENCE, "retry": _RETRY}
_FAN = Workflow.from_json(
    {
        "name": "fan",
        "steps": [
            {
                "id": "all",
                "map": {"over": list(range(_ITEMS)), "step": _ITEM, "concurrency": 3, "on_item_failure": "collect"},
            },
            {"id": "join", "agent": "hand:join", "needs": ["all"], "timeout": _PATIENCE, "retry": _RETRY},
        ],
        "timeout": "15m",
    }
)


class _Shelf(WorkflowStore):
    """The two workflows; where they are kept is not what this is about."""

    def __init__(self) -> None:
        super().__init__(MemoryTableStore(), MemoryBlobStore(), VirtualClock())

    async def graph(self, digest: str) -> Graph:
        return as_graph(next(workflow for workflow in (_SAGA, _FAN) if workflow.digest == digest))


class _Deeds(BaseModel):
    done: dict[str, int] = {}
    """How often something was done, by the key under which it may be done once."""


class _Hand(Agent[_Deeds]):
    type = "hand"
    purpose = "Do a step, if at all"
    listed = False
    policy = _RETRIES

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance

    @on(WORK)
    async def do(self, turn: Turn, state: _Deeds, work: Work) -> Any:
        way = self._chance.choices(("do", "later", "never", "fail", "retry"), (70, 10, 4, 8, 8))[0]
        if way == "retry":
            raise RetryableError("Not now.")
        if way == "fail":
            raise TerminalError("Never.")
        key = work.idempotency_key
        if key not in state.done:
            state.done[key] = 1
        answer = {"did": key}
        if way == "later":
            pause = timedelta(seconds=self._chance.uniform(1, 2 * _PATIENCE))
            turn.remind(turn.message.first_id, "hand.later", {"held": turn.hold_reply(), "said": answer}, after=pause)
        return answer if way == "do" else None

    @on("hand.later")
    async def later(self, turn: Turn, _: _Deeds, kept: dict[str, Any]) -> None:
        turn.reply_to_held(kept["held"], kept["said"])


class Sagas(Workload):
    name = "sagas"
    max_deliveries = 5
    checks = (
        "each run ended once",
        "no step asked for more often than it may be tried",
        "all is undone or named",
        "each item once, in order",
    )

    def actors(self) -> Sequence[Actor | Agent[Any]]:
        initial: dict[str, Any] = {"asked": [], "outcomes": {}}
        return [RunAgent(_Shelf()), _Hand(self.chance), Actor("client", self._act, _RETRIES, initial)]

    def letters(self) -> list[list[Message]]:
        orders = [
            {"id": f"{workflow.name}{number}", "name": workflow.name, "stop": self.chance.choice((None, None, 3, 30))}
            for number in range(3)
            for workflow in (_SAGA, _FAN)
        ]
        return [[self.message("owner", number, "client", "go", order) for number, order in enumerate(orders)]]

    async def _act(self, turn: KernelTurn) -> None:
        data, state = turn.message.data, turn.state
        if turn.request is not None:
            state["outcomes"].setdefault(turn.request.note, []).append([turn.message.type, data])
        elif turn.message.type == "stop":
            turn.send(f"workflow:{data}", CANCEL, {"reason": "Enough."})
        else:
            state["asked"].append(data["id"])
            workflow = _SAGA if data["name"] == "saga" else _FAN
            start = StartRun(definition=workflow.digest, name=workflow.name).model_dump(mode="json")
            turn.ask(f"workflow:{data['id']}", START, start, note=data["id"])
            if data["stop"] is not None:
                turn.remind(data["id"], "stop", data["id"], after=timedelta(seconds=data["stop"]))

    def acceptable(self, letter: DeadLetter) -> bool:
        known = letter.message is not None and letter.message["type"] == WORK
        return known and letter.error["code"] in ("terminal_error", "deadline_exceeded")

    def check(self, ending: Ending) -> Iterator[str]:
        client = ending.states.get("client", {"asked": [], "outcomes": {}})
        runs = {agent: state for agent, state in ending.states.items() if agent.startswith("workflow:")}
        for name in client["asked"]:
            yield from _one_outcome(name, client["outcomes"].get(name, []), ending)
        for agent, stored in runs.items():
            state, entries = RunState.model_validate(stored), ending.journals[agent]
            if state.request is None:
                continue
            rows = ending.rows.get(agent, {})
            yield from (f"{agent}: {problem}" for problem in _ended_once(state, entries))
            yield from (f"{agent}: {problem}" for problem in _asked_for(entries))
            if state.request.name == "saga":
                yield from (f"{agent}: {problem}" for problem in _undone(agent, state, rows, ending))
            elif state.status is RunStatus.COMPLETED:
                yield from (f"{agent}: {problem}" for problem in _items(rows))
        yield from (f"{agent} has requests open" for agent in ending.waiting)


def _one_outcome(name: str, outcomes: Sequence[Any], ending: Ending) -> Iterator[str]:
    if len(outcomes) != 1:
        yield f"who started {name} got {outcomes}"
        return
    ((message_type, data),) = outcomes
    state = ending.states.get(f"workflow:{name}")
    if message_type == ERROR_TYPE:
        if data["code"] != "delivery_failed":
            yield f"who started {name} got {data}"
    elif state is None or data["status"] != state["status"]:
        yield f"who started {name} was told {data['status']}, which it is not"


def _ended_once(state: RunState, entries: Sequence[JournalEntry]) -> Iterator[str]:
    ends = [fact for entry in entries for fact in entry.facts if fact["kind"] == "run.ended"]
    if len(ends) != 1 or not state.status.is_final:
        yield f"it is {state.status.value} and ended {ends}"
    if state.calls or state.fans:
        yield f"it has ended, and {state.calls} is under way"


def _asked_for(entries: Sequence[JournalEntry]) -> Iterator[str]:
    asked = Counter(
        record["body"]["data"]["idempotency_key"]
        for entry in entries
        for record in entry.sent
        if record["body"]["type"] == WORK
    )
    for key, times in asked.items():
        if times > (_UNDO_ATTEMPTS if key.endswith(":undo") else _ATTEMPTS):
            yield f"{key} was asked for {times} times"


def _undone(agent: str, state: RunState, rows: Mapping[str, Any], ending: Ending) -> Iterator[str]:
    """Of a run that did not come to its end, all that was completed is undone, or named with the reason."""
    steps, marks = _SAGA.steps, list(Marks(list(state.marks)))
    named = {row["step"] for key, row in rows.items() if key.startswith(UNDO) and row["status"] == "failed"}
    if state.status is RunStatus.COMPLETED:
        if any(mark is not Mark.COMPLETED for mark in marks):
            yield f"it is completed with {marks}"
        return
    for step, mark in zip(steps, marks, strict=True):
        deeds = ending.states.get(f"hand:{step.id}", {"done": {}})["done"]
        key = f"{agent.partition(':')[2]}:1:{step.id}"
        if mark is Mark.COMPLETED and step.id not in named:
            yield f"{step.id} is neither undone nor named"
        if mark is Mark.COMPENSATED and (key not in deeds or f"{key}:undo" not in deeds):
            yield f"{step.id} is called undone, which it is not"
        if mark is not Mark.COMPENSATED and step.id not in named and f"{key}:undo" in deeds:
            yield f"{step.id} is undone, and not called so"


def _items(rows: Mapping[str, Any]) -> Iterator[str]:
    output = rows["step:0000"]["output"]
    for index, item in enumerate(output):
        if "error" not in item and not item["did"].endswith(f":all:{index}"):
            yield f"item {index} has the output {item}"
    if len(output) != _ITEMS:
        yield f"it has {len(output)} outputs"
