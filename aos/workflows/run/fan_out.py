"""Maps: the list goes into rows first, then items are begun as there is room, and each ends in a row of its own."""

from __future__ import annotations

import json
from typing import Any

from aos.kernel.errors import AosError, InfrastructureError, InvalidInput, TerminalError
from aos.kernel.json_text import length
from aos.storage.artifacts import Artifacts
from aos.workflows.definition.expressions import evaluate
from aos.workflows.definition.step import Lines, Map
from aos.workflows.definition.templates import expression_of, render
from aos.workflows.run.calls import CALL_TIMEOUT, Asked, make_call
from aos.workflows.run.names import Names, names_for_item, names_for_list
from aos.workflows.run.outcome import Outcome, failed
from aos.workflows.run.progress import note_progress, tell_parent
from aos.workflows.run.records import PAGE_SIZE, item_key, item_prefix, page_key
from aos.workflows.run.retrying import record_of, try_later
from aos.workflows.run.run import Run, note
from aos.workflows.run.run_state import Call, Fan
from aos.workflows.run.settling import settle
from aos.workflows.status import StepStatus

WRITE = "workflow.write-items"
MOST_ITEMS = 1_000_000
_ROWS = 30
_BYTES = 600_000
"""What of a list is written in one turn."""
_COLLECT = 1_000


def map_of(run: Run, place: int) -> Map:
    each = run.graph.steps[place].map
    assert each is not None  # noqa: S101  # there is a fan for maps only
    return each


def open_fan(run: Run, place: int, attempt: int) -> None:
    """Begin a map."""
    serial, timeout = run.next_serial(), run.graph.steps[place].timeout
    run.state.fans[str(place)] = Fan(serial=serial, since=run.turn.now, attempt=attempt)
    run.turn.send(run.turn.agent, WRITE, note(str(place), serial))
    if timeout is not None:
        run.turn.remind(f"call-{place}", CALL_TIMEOUT, note(str(place), serial), after=timeout)


async def write_items(run: Run, place: int) -> None:
    """Write some more of the list into rows. It is made anew each time: what it is made of does not change."""
    fan = run.state.fans[str(place)]
    try:
        items = await _items(run, place)
    except InfrastructureError:
        raise
    except AosError as error:
        end_fan(run, place, failed(error))
        return
    fan.size = len(items)
    written = size = 0
    while fan.written < fan.size and written < _ROWS and size < _BYTES:
        page = items[fan.written : fan.written + PAGE_SIZE]
        run.turn.rows.put(page_key(place, fan.written // PAGE_SIZE), page)
        fan.written += len(page)
        written, size = written + 1, size + length(page)
    fan.is_written = fan.written >= fan.size
    if not fan.is_written:
        run.turn.send(run.turn.agent, WRITE, note(str(place), fan.serial))
    elif not items:
        end_fan(run, place, Outcome([]))


def next_fan(run: Run) -> int | None:
    """A map that has an item to begin, and room for it."""
    for name, fan in run.state.fans.items():
        place = int(name)
        if fan.is_written and fan.next < fan.size:
            under_way = sum(1 for _ in run.calls_of(place))
            if under_way < map_of(run, place).concurrency:
                return place
    return None


async def begin_item(run: Run, place: int) -> None:
    """Begin the next item of a map."""
    fan = run.state.fans[str(place)]
    fan.next += 1
    await try_item(run, place, fan.next - 1, 1)


async def try_item(run: Run, place: int, index: int, attempt: int) -> None:
    """Begin an attempt at an item."""
    key, action = f"{place}.{index}", map_of(run, place).step
    try:
        names = await item_names(run, place, index)
        await make_call(run, Asked(key, place, attempt, action, names, (*run.path_of(place), "map", "step")))
    except InfrastructureError:
        raise
    except AosError as error:
        call = Call(kind="retry", serial=run.next_serial(), since=run.turn.now, attempt=attempt)
        await end_item(run, place, index, failed(error), call)


async def item_names(run: Run, place: int, index: int) -> Names:
    page = await run.turn.rows.get(page_key(place, index // PAGE_SIZE))
    item = {map_of(run, place).item: page[index % PAGE_SIZE], "index": index}
    return await names_for_item(run, place, **item)


async def end_item(run: Run, place: int, index: int, outcome: Outcome, call: Call) -> None:
    """Take what came of an item; the map ends with the last one, or where too many have failed."""
    fan, each, step = run.state.fans.get(str(place)), map_of(run, place), run.graph.steps[place]
    if fan is None:
        return
    fan.cost += outcome.cost
    if outcome.error is not None and try_later(run, f"{place}.{index}", each.step.retry, call, outcome):
        return
    status = StepStatus.COMPLETED if outcome.error is None else StepStatus.FAILED
    row = record_of(run, f"{step.id}[{index}]", call.since, call.attempt, call.label, outcome, status)
    run.turn.rows.put(item_key(place, index), row.model_dump(mode="json"))
    fan.done += 1
    fan.failed += outcome.error is not None
    if note_progress(run):
        tell_parent(run, place, StepStatus.RUNNING, is_further=True)
    if outcome.error is not None and each.on_item_failure == "fail":
        details = {**(outcome.error.get("details") or {}), "index": index}
        end_fan(run, place, Outcome(error={**outcome.error, "details": details}))
    elif fan.failed > each.tolerate * fan.size:
        error = TerminalError(
            f"{fan.failed} of {fan.size} items failed, more than the share of {each.tolerate:g} that may. The last: "
            f"{(outcome.error or {}).get('message', '')}",
            code="too_many_items_failed",
        )
        end_fan(run, place, failed(error))
    elif fan.done == fan.size:
        end_fan(run, place, Outcome(await _collected(run, place, fan, each)))


def end_fan(run: Run, place: int, outcome: Outcome) -> None:
    """End a map, or the attempt at it."""
    fan = run.state.fans[str(place)]
    call = Call(kind="retry", serial=fan.serial, since=fan.since, attempt=fan.attempt)
    settle(run, place, Outcome(outcome.output, outcome.error, cost=fan.cost), call)


async def _items(run: Run, place: int) -> list[Any]:
    over, where = map_of(run, place).over, f"Step {run.graph.steps[place].id!r}, map.over"
    names = await names_for_list(run, place)
    if isinstance(over, Lines):
        return _lines(await Artifacts(run.turn.blobs).get(str(render(over.artifact, names, where=where))), where)
    if isinstance(over, list):
        return list(render(over, names, where=where))
    items = evaluate(expression_of(over), names, where=where)
    if not isinstance(items, list):
        raise InvalidInput(f"{where}: it must give a list, not {type(items).__name__}.")
    if len(items) > MOST_ITEMS:
        raise InvalidInput(f"{where}: the list has {len(items):,} items; {MOST_ITEMS:,} are the most.")
    return items


def _lines(data: bytes, where: str) -> list[Any]:
    try:
        return [json.loads(line) for line in data.splitlines() if line.strip()]
    except ValueError as error:
        raise InvalidInput(f"{where}: the artifact does not have JSON on each line: {error}.") from error


async def _collected(run: Run, place: int, fan: Fan, each: Map) -> list[Any]:
    found: list[Any] = []
    after: str | None = None
    while True:
        page = await run.turn.rows.page(
            item_prefix(place), after=after, before=item_key(place, fan.size), limit=_COLLECT
        )
        for _, row in page:
            if row["error"] is None:
                found.append(row["output"])
            elif each.on_item_failure == "collect":
                found.append({"error": row["error"]})
        if len(page) < _COLLECT:
            return found
        after = page[-1][0]
