"""`aos workflow plan`: a workflow for a goal."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from aos.cli.client import CommandFailed
from aos.cli.output import console, print_json, print_rows
from aos.cli.running import Json, Key, Url, call, fail


def plan(
    goal: Annotated[str, typer.Argument(help="What is to be reached, in words.")],
    agent: Annotated[list[str] | None, typer.Option(help="Who may work on it; may be given several times.")] = None,
    by: Annotated[
        str | None, typer.Option(help="model, phases or intent. A model where one is configured, else phases.")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="What an intent's review looks at.")] = None,
    timeline: Annotated[str | None, typer.Option(help="By when, in words.")] = None,
    constraints: Annotated[str, typer.Option(help="What every step has to keep to, as a JSON object.")] = "{}",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Plan a workflow for a goal, and keep it. `aos workflow run` runs it."""
    try:
        kept_to = json.loads(constraints)
    except ValueError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint="--constraints") from error
    stated = {"agents": agent, "by": by, "success_metrics": metric, "timeline": timeline}
    body = {"goal": goal, "constraints": kept_to, **{name: value for name, value in stated.items() if value}}
    found = call(url, key, lambda client: client.post("/workflow-plans", body, params={"wait": 60}), as_json=as_json)
    refused = found.get("error")
    if refused is not None:
        fail(CommandFailed(str(refused.get("message")), code=str(refused.get("code"))), as_json=as_json)
        raise typer.Exit(1)
    planned = found.get("answer")
    if planned is None:
        fail(CommandFailed("The planner has not answered in time. `aos agent journal planner` shows what it did."))
        raise typer.Exit(1)
    if as_json:
        print_json(planned)
    else:
        _show(planned)


def _show(planned: dict[str, Any]) -> None:
    for note in planned["notes"]:
        console.print(note, markup=False)
    rows = [
        {"step": step["id"], "agent": step["agent"], "needs": ", ".join(step.get("needs", []))}
        for step in planned["workflow"]["steps"]
    ]
    print_rows(rows, ("step", "agent", "needs"), empty="It has no steps.")
    console.print(f"Kept as {planned['name']}. Run it: aos workflow run {planned['name']}", markup=False)
