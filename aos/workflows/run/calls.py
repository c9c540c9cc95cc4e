"""Makes calls: asks agents, workers, other runs, teams and people, or waits for time to pass or an event to come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from aos.agents.work import WORK, Work
from aos.kernel.errors import AosError, InvalidInput
from aos.workflows.definition.step import Action
from aos.workflows.definition.templates import render
from aos.workflows.human.asking import ask_people
from aos.workflows.human.request import HumanRequest
from aos.workflows.messages import RUN_TYPE, START, TEAM_START, TEAM_TYPE, WORKER_RUN, WORKER_TYPE, StartRun, TeamStart
from aos.workflows.run.names import Names, results_in
from aos.workflows.run.parts import OPTION, Part, needs_run
from aos.workflows.run.run import Run, is_undo, note
from aos.workflows.run.run_state import Call
from aos.workflows.run.worker import WorkerCall

TIMER = "workflow.timer"
CALL_TIMEOUT = "workflow.call-timeout"
MOST_TOPICS = 100
"""Topics of events that one run may wait for in its life."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call to be made.

    Attributes:
        key: Of the call; see `RunState.calls`.
        place: Of the step it belongs to.
        attempt: From 1.
        names: For its templates.
        path: Where the action is in the definition.
    """

    key: str
    place: int
    attempt: int
    action: Action
    names: Names
    path: tuple[str | int, ...]

    @property
    def index(self) -> int | None:
        _, dot, index = self.key.partition(".")
        return int(index) if dot else None


Make = Callable[[Run, Asked, int], Awaitable[Call]]


async def make_call(run: Run, asked: Asked) -> None:
    """Make a call.

    Raises:
        InvalidInput: a template has no value, or what it gives does not fit.
        NotFound: there is no such workflow.
    """
    serial = run.next_serial()
    kind = "part" if _is_part(asked) else asked.action.kind
    run.state.calls[asked.key] = await _MAKERS[kind](run, asked, serial)


def _is_part(asked: Asked) -> bool:
    return asked.path[-1] == "steps" or (asked.index is not None and needs_run(asked.action))


def _where(run: Run, asked: Asked, field: str) -> str:
    return f"Step {run.graph.steps[asked.place].id!r}, {field}"


def _parameters(run: Run, asked: Asked) -> dict[str, Any]:
    found: dict[str, Any] = render(asked.action.with_, asked.names, where=_where(run, asked, "with"))
    return found


def _text(run: Run, asked: Asked, field: str, value: str) -> str:
    found = render(value, asked.names, where=_where(run, asked, field))
    if not isinstance(found, str):
        raise InvalidInput(f"{_where(run, asked, field)}: it must give a text, not {type(found).__name__}.")
    return found


def _ask(run: Run, asked: Asked, serial: int, to: str, message_type: str, data: Any, **call: Any) -> Call:
    run.turn.ask(
        to,
        message_type,
        data,
        note=note(asked.key, serial),
        timeout=asked.action.timeout,
        priority=run.priority_of(asked.place),
    )
    return Call(serial=serial, since=run.turn.now, attempt=asked.attempt, to=to, **call)


async def _agent(run: Run, asked: Asked, serial: int) -> Call:
    action = asked.action
    to = _text(run, asked, "agent", action.agent or "")
    data = _parameters(run, asked)
    if action.message == WORK:
        data = work_for(run, asked, data).model_dump(mode="json")
    return _ask(run, asked, serial, to, action.message, data, kind="agent", label=to)


def work_for(run: Run, asked: Asked, parameters: dict[str, Any]) -> Work:
    """What the agent gets that does a step."""
    step = run.graph.steps[asked.place]
    return Work(
        task_id=str(run.request.options.get("task_id", run.id)),
        run_id=run.id,
        step=step.id,
        title=asked.action.title or step.title or step.id,
        target=str(run.inputs.get("target", "")),
        parameters=parameters,
        inputs=run.inputs,
        results=_results(run, asked),
        idempotency_key=f"{run.id}:{run.attempt}:{step.id}" + _which(asked),
    )


def _results(run: Run, asked: Asked) -> dict[str, Any]:
    """Whoever undoes a step gets its own output."""
    if is_undo(asked.key):
        id = run.graph.steps[asked.place].id
        return {id: asked.names["steps"][id]["output"]}
    return results_in(run, asked.place, asked.names)


def _which(asked: Asked) -> str:
    if is_undo(asked.key):
        return ":undo"
    return "" if asked.index is None else f":{asked.index}"


async def _tool(run: Run, asked: Asked, serial: int) -> Call:
    action = asked.action
    call = WorkerCall(tool=action.tool, arguments=_parameters(run, asked), permissions=action.permissions)
    return ask_worker(run, asked, serial, call, label=action.tool or "")


async def _model(run: Run, asked: Asked, serial: int) -> Call:
    action = asked.action
    call = WorkerCall(
        prompt=_text(run, asked, "model", action.model or ""),
        system=None if action.system is None else _text(run, asked, "system", action.system),
        response_schema=action.response_schema,
        route=action.route,
    )
    return ask_worker(run, asked, serial, call, label=action.route or "model")


def ask_worker(run: Run, asked: Asked, serial: int, call: WorkerCall, *, label: str) -> Call:
    slot = run.free_slot()
    to = f"{WORKER_TYPE}:{run.id}.{slot}"
    kind = "tool" if call.tool is not None else "model"
    data = call.model_dump(mode="json", exclude_defaults=True)
    return _ask(run, asked, serial, to, WORKER_RUN, data, kind=kind, slot=slot, label=label)


async def _workflow(run: Run, asked: Asked, serial: int) -> Call:
    workflow = await run.store.find(asked.action.workflow or "")
    start = StartRun(
        definition=workflow.digest, name=workflow.name, inputs=_parameters(run, asked), **_handed_down(run)
    )
    return _start(run, asked, serial, start, kind="workflow", label=workflow.name)


async def _part(run: Run, asked: Asked, serial: int) -> Call:
    around = {name: value for name, value in asked.names.items() if name not in ("inputs", "run")}
    part = Part(path=asked.path, names=around).model_dump(mode="json")
    handed = _handed_down(run)
    start = StartRun(
        definition=run.request.definition,
        name=run.request.name,
        inputs=run.inputs,
        **{**handed, "options": {**handed["options"], OPTION: part}},
    )
    return _start(run, asked, serial, start, kind="part", label=run.graph.steps[asked.place].id)


def _start(run: Run, asked: Asked, serial: int, start: StartRun, **call: Any) -> Call:
    to = f"{RUN_TYPE}:{run.id}.{serial}"
    return _ask(run, asked, serial, to, START, start.model_dump(mode="json"), **call)


def _handed_down(run: Run) -> dict[str, Any]:
    """What a run passes on to those it starts."""
    request = run.request
    budgets = [budget for budget in (request.budget, run.graph.workflow.budget) if budget is not None]
    left = None if not budgets else max(min(budgets) - run.state.cost_usd, 0.000001)
    task = request.options.get("task_id")
    options = {} if task is None else {"task_id": task}
    return {
        "owner": request.owner,
        "priority": request.priority,
        "deadline": request.deadline,
        "budget": left,
        "options": options,
    }


async def _team(run: Run, asked: Asked, serial: int) -> Call:
    given = _parameters(run, asked)
    team = render(asked.action.team, asked.names, where=_where(run, asked, "team"))
    named = {"name": team} if isinstance(team, str) else {"definition": team}
    inputs = given.get("inputs", {name: value for name, value in given.items() if name not in ("task", "limits")})
    task = given.get("task") or asked.action.title or run.graph.steps[asked.place].title
    try:
        start = TeamStart(task=task, inputs=inputs, limits=given.get("limits", {}), **named)
    except ValidationError as error:
        raise _does_not_fit(run, asked, "team", error) from error
    label = team if isinstance(team, str) else str(team.get("name", "team"))
    to = f"{TEAM_TYPE}:{run.id}.{serial}"
    return _ask(run, asked, serial, to, TEAM_START, start.model_dump(mode="json"), kind="team", label=label)


async def _wait(run: Run, asked: Asked, serial: int) -> Call:
    wait = asked.action.wait
    assert wait is not None  # noqa: S101  # the kind says so
    if wait.kind in ("for", "until"):
        until = run.turn.now + (wait.length or timedelta())
        if wait.until is not None:
            until = wait.moment(asked.names, where=_where(run, asked, "wait.until"))
        run.turn.remind(f"call-{asked.key}", TIMER, note(asked.key, serial), at=max(until, run.turn.now))
        return Call(kind="timer", serial=serial, since=run.turn.now, attempt=asked.attempt)
    if wait.event is not None:
        return _wait_for_event(run, asked, serial)
    return _ask_people(run, asked, serial, wait.approval or wait.question or {}, is_approval=wait.approval is not None)


def _wait_for_event(run: Run, asked: Asked, serial: int) -> Call:
    wait = asked.action.wait
    assert wait is not None and wait.event is not None  # noqa: S101, PT018  # looked at by the caller
    topic = _text(run, asked, "wait.event.topic", wait.event.topic)
    if len(run.state.topics) >= MOST_TOPICS and topic not in run.state.topics:
        raise InvalidInput(f"A run waits for events of {MOST_TOPICS} topics at most. Tell events apart with `where`.")
    run.state.topics[topic] = True
    if asked.action.timeout is not None:
        run.turn.remind(f"call-{asked.key}", CALL_TIMEOUT, note(asked.key, serial), after=asked.action.timeout)
    return Call(
        kind="event", serial=serial, since=run.turn.now, attempt=asked.attempt, topic=topic, where=wait.event.where
    )


def _ask_people(run: Run, asked: Asked, serial: int, fields: dict[str, Any], *, is_approval: bool) -> Call:
    given = render(fields, asked.names, where=_where(run, asked, "wait"))
    kind = "approval" if is_approval else given.get("kind", "choice" if given.get("choices") else "question")
    try:
        request = HumanRequest.model_validate({**given, "kind": kind})
    except ValidationError as error:
        raise _does_not_fit(run, asked, "wait", error) from error
    if request.expires_in is None:
        request.expires_in = asked.action.timeout
    request_id = f"{run.id}.{serial}"
    ask_people(run.turn, request_id, request, note=note(asked.key, serial))
    return Call(kind="human", serial=serial, since=run.turn.now, attempt=asked.attempt, to=request_id, label="people")


def _does_not_fit(run: Run, asked: Asked, field: str, error: ValidationError) -> AosError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return InvalidInput(f"{_where(run, asked, field)}{'.' if place else ''}{place}: {first['msg']}.")


_MAKERS: dict[str, Make] = {
    "agent": _agent,
    "tool": _tool,
    "model": _model,
    "workflow": _workflow,
    "part": _part,
    "team": _team,
    "wait": _wait,
}
