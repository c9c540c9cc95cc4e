"""`aos workflow run`, `runs`, `watch` and so on: runs of workflows."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from aos.cli.client import Client
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.run_view import FINAL, RunView
from aos.cli.run_watch import RunWatch
from aos.cli.running import Json, Key, Url, call
from aos.cli.workflow import Cursor, Limit, Out, post_file, write_out

RunId = Annotated[str, typer.Argument(help="Id of the run; `aos workflow run` prints it.")]


def run(
    what: Annotated[str, typer.Argument(help="`name`, `name@version`, or a file, which is kept first.")],
    given: Annotated[list[str] | None, typer.Option("--input", help="One input as name=value; more than once.")] = None,
    inputs: Annotated[str, typer.Option(help="Inputs as a JSON object.")] = "{}",
    owner: Annotated[str | None, typer.Option(help="For whom.")] = None,
    priority: Annotated[int, typer.Option(min=1, max=10)] = 5,
    budget: Annotated[float | None, typer.Option(help="US dollars it may spend.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key gives the same run.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run to its end.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Run a workflow. With --watch, exit code 1 where it fails."""
    order = {"owner": owner, "priority": priority, "budget": budget}
    file = Path(what) if Path(what).is_file() else None
    values, pairs = _object(inputs, "--inputs"), [_pair(text) for text in given or ()]

    async def work(client: Client) -> dict[str, Any]:
        reference = what
        if file is not None:
            kept = await post_file(client, "/workflows", file)
            reference = f"{kept['name']}@{kept['version']}"
        body = {**order, "inputs": {**values, **await _typed(client, reference, pairs)}}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        started: dict[str, Any] = await client.post(f"/workflows/{reference}/runs", body, headers=headers)
        if not watch:
            return started
        return await _watched(client, started["id"], quiet=as_json)

    shown = call(url, key, work, as_json=as_json)
    if as_json:
        print_json(shown)
    elif watch:
        _print_result(shown)
    else:
        console.print(
            f"Run {shown['id']} of {escape(what)} was started. Follow it with `aos workflow watch {shown['id']}`."
        )
    if watch:
        _exit_as(shown)


def watch(run_id: RunId, url: Url = None, key: Key = None) -> None:
    """Follow a run to its end. Exit code 1 where it fails."""
    result = call(url, key, lambda client: _watched(client, run_id, quiet=False))
    _print_result(result)
    _exit_as(result)


def runs(
    workflow: Annotated[str | None, typer.Option(help="Only runs of this workflow.")] = None,
    status: Annotated[str | None, typer.Option(help="Only runs of this status: running, waiting, failed, …")] = None,
    owner: Annotated[str | None, typer.Option(help="Only runs for this owner.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    query = {"workflow": workflow, "status": status, "owner": owner, "limit": limit, "cursor": cursor}
    page = call(url, key, lambda client: client.get("/workflow-runs", **query), as_json=as_json)
    if as_json:
        print_json(page)
        return
    rows = [
        {**row, "progress": f"{row['progress']:.0%}", "created_at": str(row["created_at"])[:16].replace("T", " ")}
        for row in page["runs"]
    ]
    columns = ("id", "workflow", "status", "progress", "owner", "created_at", "error")
    print_rows(rows, columns, empty="There are no runs. Start one with `aos workflow run`.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


def status(run_id: RunId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show a run, and how each of its steps stands."""
    if as_json:
        print_json(call(url, key, lambda client: client.get(f"/workflow-runs/{run_id}"), as_json=as_json))
        return
    picture = call(url, key, lambda client: RunWatch(client, run_id, console).look())
    console.print(RunView(picture, most=len(picture.steps)))
    if picture.run.get("error"):
        error = picture.run["error"]
        console.print(f"[red]{escape(str(error['message'] if isinstance(error, dict) else error))}[/red]")


def result(run_id: RunId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show what a run came to. Exit code 1 where it failed, or has not ended."""
    found = call(url, key, lambda client: client.get(f"/workflow-runs/{run_id}/result"), as_json=as_json)
    if as_json:
        print_json(found)
    else:
        _print_result(found)
    _exit_as(found)


def cancel(
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why; it is the run's error.")] = "cancelled on request",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Ask a run to stop."""
    _steer(run_id, "cancel", {"reason": reason}, "was asked to stop", url, key, as_json=as_json)


def pause(run_id: RunId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Have a run begin nothing more."""
    _steer(run_id, "pause", None, "begins nothing more until it is resumed", url, key, as_json=as_json)


def resume(run_id: RunId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Have a paused run go on."""
    _steer(run_id, "resume", None, "goes on", url, key, as_json=as_json)


def rerun(
    run_id: RunId,
    step: Annotated[str, typer.Argument(help="The step to begin with; all that depends on it is done anew, too.")],
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Do a run anew from a step on."""
    _steer(run_id, "rerun", {"from_step": step}, f"is done anew from {step} on", url, key, as_json=as_json)


def respond(
    run_id: RunId,
    step: Annotated[str, typer.Argument(help="The step that waits.")],
    value: Annotated[str, typer.Argument(help="The answer: JSON, or words. true approves, false rejects.")],
    by: Annotated[str | None, typer.Option(help="Who answers. Default: the name you are logged in under.")] = None,
    wait: Annotated[float, typer.Option(min=0, max=200, help="Seconds to wait until the answer counts.")] = 10,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Answer a step that waits for somebody, or for an event."""
    body = {"step": step, "value": _json_or_words(value), "by": by or getpass.getuser()}
    path = f"/workflow-runs/{run_id}/respond"
    answer = call(url, key, lambda client: client.post(path, body, params={"wait": wait}), as_json=as_json)
    if as_json:
        print_json(answer)
        return
    console.print("The answer counts." if answer["accepted"] else f"The answer is on its way to step {escape(step)}.")


def timeline(run_id: RunId, out: Out = None, url: Url = None, key: Key = None) -> None:
    """Draw a run over time: trace events for chrome://tracing and ui.perfetto.dev."""
    found = call(url, key, lambda client: client.get(f"/workflow-runs/{run_id}/timeline"))
    write_out(json.dumps(found, ensure_ascii=False), out)


def add_to(app: typer.Typer) -> None:
    """Make these commands of `aos workflow`."""
    for command in (run, watch, runs, status, result, cancel, pause, resume, rerun, respond, timeline):
        app.command()(command)


async def _watched(client: Client, run_id: str, *, quiet: bool) -> dict[str, Any]:
    """The result of a run once it has ended."""
    if quiet:
        while (await client.get(f"/workflow-runs/{run_id}", wait=30))["status"] not in FINAL:
            pass
    else:
        await RunWatch(client, run_id, console).follow()
    found: dict[str, Any] = await client.get(f"/workflow-runs/{run_id}/result")
    return found


async def _typed(client: Client, reference: str, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Inputs that were given as text, as what the workflow wants them to be."""
    if not pairs:
        return {}
    declared = (await client.get(f"/workflows/{reference}"))["definition"].get("inputs", {})
    types = {name: item.get("type", "any") for name, item in declared.items()}
    return {name: text if types.get(name) == "string" else _json_or_words(text) for name, text in pairs}


def _steer(run_id: str, order: str, body: Any, said: str, url: str | None, key: str | None, *, as_json: bool) -> None:
    answer = call(url, key, lambda client: client.post(f"/workflow-runs/{run_id}/{order}", body), as_json=as_json)
    if as_json:
        print_json(answer)
    elif answer["status"] in FINAL:
        console.print(f"Run {run_id} has ended already: it is {answer['status']}.")
    else:
        console.print(f"Run {run_id} {escape(said)}.")


def _print_result(found: dict[str, Any]) -> None:
    print_fields({name: found[name] for name in ("id", "status", "duration_seconds", "cost_usd")})
    if found["error"]:
        print_fields({"error": found["error"]["message"]})
    for name in ("compensated", "not_compensated"):
        if found.get(name):
            print_fields({name: found[name]})
    if found["output"] is not None:
        console.print("[bold]output[/bold]")
        print_json(found["output"])


def _exit_as(found: dict[str, Any]) -> None:
    if found["status"] != "completed":
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not name=value", param_hint="--input")
    return name, value


def _json_or_words(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint=option) from error
    if not isinstance(value, dict):
        raise typer.BadParameter("is no JSON object", param_hint=option)
    return value
