"""What the expressions of a step may use: read from the rows of those steps whose results they name, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aos.agents.work import WORK
from aos.workflows.definition.usage import Use, steps_used, uses_of, uses_of_outputs
from aos.workflows.run.marks import Mark
from aos.workflows.run.parts import Path
from aos.workflows.run.records import STEP, step_key
from aos.workflows.run.run import Run
from aos.workflows.status import SKIPPED_TEXT

_OVER = ("map", "over")
_MANY = 8
"""From so many on, rows are read in one scan."""

Names = dict[str, Any]


async def names_for(run: Run, place: int, **more: Any) -> Names:
    """The names for a step, and `more`, such as what the round before came to."""
    step = run.graph.steps[place]
    used = set(_used(run, place, "step"))
    if step.agent is not None and step.message == WORK:
        used |= {run.graph.steps[need].id for need in run.graph.needs[place]}
    return {**await _names(run, used), **more}


async def names_for_list(run: Run, place: int) -> Names:
    """The names for what a map goes over."""
    return await _names(run, _used(run, place, "list"))


async def names_for_item(run: Run, place: int, **item: Any) -> Names:
    """The names for an item of a map; not what only the list is made of, which may be long."""
    return {**await _names(run, _used(run, place, "item")), **item}


async def names_for_undoing(run: Run, place: int) -> Names:
    """The names for a step's compensation; its own result is among them."""
    return await _names(run, _used(run, place, "undo") | {run.graph.steps[place].id})


async def names_for_outputs(run: Run) -> Names:
    """The names for what comes of the run."""
    return await _names(run, _step_ids(uses_of_outputs(run.graph.outputs)))


def results_in(run: Run, place: int, names: Names) -> dict[str, Any]:
    """Outputs of the steps that a step needs, by id."""
    ids = [run.graph.steps[need].id for need in run.graph.needs[place]]
    return {id: names["steps"][id]["output"] for id in ids if id in names["steps"]}


async def steps_named(run: Run, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`output`, `status` and `error` of steps, by id; those of the run around a part come from there."""
    places = run.graph.workflow.places
    own = sorted(places[id][0] for id in ids if id in places)
    rows = await _rows(run, [place for place in own if run.marks[place].has_record])
    return {run.graph.steps[place].id: _shown(run.marks[place], rows.get(place)) for place in own}


_uses: dict[tuple[str, Path, str], frozenset[str]] = {}
"""Steps whose results are used, by definition, step and purpose. A definition never changes, so it is found once."""
_MOST_KEPT = 20_000


def _used(run: Run, place: int, purpose: str) -> frozenset[str]:
    """Ids of the steps whose results a step uses: for its list, its items, its compensation, or in all."""
    key = (run.request.definition, run.path_of(place), purpose)
    if key not in _uses:
        if len(_uses) >= _MOST_KEPT:
            _uses.clear()
        step = run.graph.steps[place]
        wanted = _PURPOSES.get(purpose)
        found = steps_used(step) if wanted is None else _step_ids(use for use in uses_of(step) if wanted(use))
        _uses[key] = frozenset(found)
    return _uses[key]


_PURPOSES: Mapping[str, Callable[[Use], bool]] = {
    "list": lambda use: use.place[:2] == _OVER,
    "item": lambda use: use.place[:2] != _OVER and not use.scope.undoing,
    "undo": lambda use: use.scope.undoing,
}


def _step_ids(uses: Iterable[Use]) -> set[str]:
    return {
        path[1]
        for use in uses
        for path in use.names()
        if len(path) > 1 and path[0] == "steps" and isinstance(path[1], str)
    }


async def _names(run: Run, used: Iterable[str]) -> Names:
    around = run.part.names if run.part is not None else {}
    steps = {**around.get("steps", {}), **await steps_named(run, used)}
    return {**around, "inputs": run.inputs, "run": {"id": run.id, "attempt": run.attempt}, "steps": steps}


async def _rows(run: Run, places: list[int]) -> dict[int, dict[str, Any]]:
    rows = run.turn.rows
    if len(places) < _MANY:
        return {place: await rows.get(step_key(place)) for place in places}
    wanted = {step_key(place): place for place in places}
    first = step_key(places[0] - 1) if places[0] else None
    found = await rows.page(STEP, after=first, before=step_key(places[-1] + 1), limit=len(run.graph.steps))
    return {wanted[key]: row for key, row in found if key in wanted}


def _shown(mark: Mark, row: dict[str, Any] | None) -> dict[str, Any]:
    if row is not None:
        return {"output": row["output"], "status": mark.status.value, "error": row["error"]}
    error = {"code": "skipped", "message": SKIPPED_TEXT} if mark is Mark.SKIPPED else None
    return {"output": None, "status": mark.status.value, "error": error}
