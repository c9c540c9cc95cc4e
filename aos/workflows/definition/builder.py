"""Builds a workflow in Python: one call for each step, and what a call returns stands for the step's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from aos.agents.work import WORK
from aos.workflows.definition.check import refuse_problems
from aos.workflows.definition.expressions import below
from aos.workflows.definition.known import Known
from aos.workflows.definition.step import Action, Step
from aos.workflows.definition.templates import expression_of
from aos.workflows.definition.workflow import Input, InputType, Mode, Workflow

Length = str | float | timedelta


class Value:
    """A value that there will be in a run; `value["key"]` is one within it, and its text is its template."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __getitem__(self, key: str | int) -> Value:
        return Value(below(self.expression, key))

    def __str__(self) -> str:
        return f"${{{{ {self.expression} }}}}"

    def __repr__(self) -> str:
        return f"Value({self.expression!r})"


class StepHandle:
    """A step that was added: its results, and what others need."""

    def __init__(self, id: str) -> None:
        self.id = id
        step = Value("steps")[id]
        self.output, self.status, self.error = step["output"], step["status"], step["error"]

    def __repr__(self) -> str:
        return f"StepHandle({self.id!r})"


class StepOptions(TypedDict, total=False):
    """What every step can say; as the fields of `Step`."""

    needs: Sequence[StepHandle | str]
    when: Value | str | bool
    retry: Mapping[str, Any]
    timeout: Length
    compensate: Mapping[str, Any]
    optional: bool
    priority: int
    title: str
    permissions: Sequence[str]


class WorkflowBuilder:
    """A workflow to be.

    Args:
        name: A slug.
        title, description, mode, concurrency, timeout, budget, on_failure, revision, metadata: As in `Workflow`.
    """

    def __init__(
        self, name: str, *, title: str = "", description: str = "", mode: Mode = "graph", **fields: Any
    ) -> None:
        self._fields = {"name": name, "title": title, "description": description, "mode": mode, **fields}
        self._inputs: dict[str, Input] = {}
        self._outputs: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []

    def input(
        self,
        name: str,
        type: InputType = "any",
        *,
        description: str = "",
        required: bool | None = None,
        default: Any = None,
    ) -> Value:
        """Declare something a run is given, and return what stands for it."""
        self._inputs[name] = Input(type=type, description=description, required=required, default=default)
        return Value("inputs")[name]

    def output(self, name: str, value: Any) -> None:
        """Say what a run comes to; the outputs of the steps nobody needs where nothing is said."""
        self._outputs[name] = _plain(value)

    def agent(
        self,
        id: str,
        agent: str | Value,
        *,
        message: str = WORK,
        with_: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> StepHandle:
        """Have an agent do something."""
        return self._add(id, {"agent": agent, "message": message, "with": with_}, options)

    def tool(
        self, id: str, tool: str, *, with_: Mapping[str, Any] | None = None, **options: Unpack[StepOptions]
    ) -> StepHandle:
        """Call a tool."""
        return self._add(id, {"tool": tool, "with": with_}, options)

    def model(
        self,
        id: str,
        prompt: str | Value,
        *,
        system: str | None = None,
        schema: Mapping[str, Any] | None = None,
        route: str | None = None,
        **options: Unpack[StepOptions],
    ) -> StepHandle:
        """Ask a model."""
        return self._add(id, {"model": prompt, "system": system, "schema": schema, "route": route}, options)

    def workflow(
        self, id: str, workflow: str, *, with_: Mapping[str, Any] | None = None, **options: Unpack[StepOptions]
    ) -> StepHandle:
        """Run another workflow, `name` or `name@version`."""
        return self._add(id, {"workflow": workflow, "with": with_}, options)

    def team(
        self,
        id: str,
        team: str | Mapping[str, Any],
        *,
        with_: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> StepHandle:
        """Have a team work on something."""
        return self._add(id, {"team": team, "with": with_}, options)

    def wait(self, id: str, length: Length, **options: Unpack[StepOptions]) -> StepHandle:
        """Let time pass."""
        return self._add(id, {"wait": {"for": length}}, options)

    def wait_until(self, id: str, moment: str | Value, **options: Unpack[StepOptions]) -> StepHandle:
        """Wait for a moment: ISO 8601, or an expression that gives it."""
        return self._add(id, {"wait": {"until": moment}}, options)

    def event(
        self, id: str, topic: str, *, where: str | Value | None = None, **options: Unpack[StepOptions]
    ) -> StepHandle:
        """Wait for an event."""
        return self._add(id, {"wait": {"event": {"topic": topic, "where": where}}}, options)

    def approval(self, id: str, request: Mapping[str, Any], **options: Unpack[StepOptions]) -> StepHandle:
        """Wait until a person approves."""
        return self._add(id, {"wait": {"approval": request}}, options)

    def question(self, id: str, request: Mapping[str, Any], **options: Unpack[StepOptions]) -> StepHandle:
        """Wait until a person answers."""
        return self._add(id, {"wait": {"question": request}}, options)

    def map(
        self,
        id: str,
        over: Value | str | Sequence[Any] | Mapping[str, Any],
        step: Action | Mapping[str, Any],
        *,
        as_: str = "item",
        concurrency: int = 10,
        on_item_failure: str = "fail",
        tolerate: float = 1.0,
        **options: Unpack[StepOptions],
    ) -> StepHandle:
        """Do something for each item of a list; `step` is as in a file."""
        fields = {"concurrency": concurrency, "on_item_failure": on_item_failure, "tolerate": tolerate}
        return self._add(id, {"map": {"over": over, "as": as_, "step": step, **fields}}, options)

    def loop(
        self,
        id: str,
        step: Action | Mapping[str, Any] | Sequence[Step | Mapping[str, Any]],
        *,
        until: str | Value | None = None,
        while_: str | Value | None = None,
        most: int = 10,
        **options: Unpack[StepOptions],
    ) -> StepHandle:
        """Do one thing, or several in turn, again and again; they are as in a file."""
        body = {"step": step} if isinstance(step, Action | Mapping) else {"steps": step}
        return self._add(id, {"loop": {**body, "until": until, "while": while_, "most": most}}, options)

    def build(self, known: Known | None = None) -> Workflow:
        """The workflow. Raises `InvalidInput` with all that is wrong with it."""
        workflow = Workflow.from_json(
            {**self._fields, "inputs": self._inputs, "outputs": self._outputs, "steps": self._steps}
        )
        refuse_problems(workflow, known)
        return workflow

    def _add(self, id: str, what: Mapping[str, Any], options: StepOptions) -> StepHandle:
        given: dict[str, Any] = {"id": id, **what, **options}
        given["needs"] = [step.id if isinstance(step, StepHandle) else step for step in options.get("needs", ())]
        self._steps.append({name: _plain(value) for name, value in given.items() if value is not None})
        return StepHandle(id)


def item(name: str = "item") -> Value:
    """What stands for an item in the step of a `map`; `name` is the map's `as_`."""
    return Value(name)


def expression(value: Value | str) -> str:
    """The expression of a value, to write a larger one with: `f"{expression(total)} > 100"`."""
    return value.expression if isinstance(value, Value) else expression_of(value)


def _plain(value: Any) -> Any:
    """JSON, with a template for each value that there will be."""
    if isinstance(value, Value):
        return str(value)
    if isinstance(value, StepHandle):
        return str(value.output)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
