"""`aos task`: submit tasks, watch them, see what came of them, cancel them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from aos.cli.client import Client, CommandFailed
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call, fail
from aos.cli.submitting import pack_target
from aos.cli.watch import TaskWatch

app = typer.Typer(help="Submit tasks, watch them, see what came of them, cancel them.", no_args_is_help=True)

Reason = Annotated[str, typer.Option("--reason", help="Why; shown with the task.")]
TaskId = Annotated[str, typer.Argument(help="The task's id; `aos task list` shows it.")]


@app.command()
def submit(
    task_type: Annotated[
        str, typer.Argument(help="The kind of task: a workflow (code_review), or what agents can do.")
    ],
    target: Annotated[str, typer.Argument(help="What it is about. A folder is packed and uploaded.")],
    title: Annotated[str | None, typer.Option(help="One line.")] = None,
    parameters: Annotated[str, typer.Option(help="Further parameters as a JSON object.")] = "{}",
    priority: Annotated[int, typer.Option(min=1, max=10)] = 5,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key gives the same task.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Done by this workflow: `name`, or `name@version`.")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="Done by this agent; may be given several times.")] = None,
    callback: Annotated[str | None, typer.Option(help="Where its end is told.")] = None,
    budget: Annotated[float | None, typer.Option(help="US dollars it may cost.")] = None,
    hold: Annotated[bool, typer.Option(help="Do not begin before `aos task execute`.")] = False,
    watch: Annotated[bool, typer.Option(help="Follow the task to its end.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Submit a task."""
    try:
        given = json.loads(parameters)
    except ValueError as error:
        fail(CommandFailed(f"--parameters is not JSON: {error}."), as_json=as_json)
        raise typer.Exit(2) from error

    folder = Path(target).resolve() if Path(target).is_dir() else None

    async def work(client: Client) -> dict[str, Any]:
        request = {
            "task_type": task_type,
            "title": title or f"{task_type} of {Path(target).name}",
            "target": target,
            "parameters": given,
            "priority": priority,
            "auto_execute": not hold,
        }
        stated = {"workflow": workflow, "agents": agent, "callback_url": callback, "budget": budget}
        request |= {name: value for name, value in stated.items() if value is not None}
        if folder is not None:
            request["target"] = str(folder)
            request["parameters"] = {"source": await pack_target(client, folder), **given}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        task: dict[str, Any] = await client.post("/tasks", request, headers=headers)
        if watch and not as_json:
            await TaskWatch(client, task["id"], console).follow()
        return await _ended(client, task["id"]) if watch else task

    task = call(url, key, work, as_json=as_json)
    _show(task, as_json=as_json)
    _exit_as(task)


@app.command()
def watch(task_id: TaskId, url: Url = None, key: Key = None) -> None:
    """Follow a task to its end. Exit code 1 if it fails."""
    task = call(url, key, lambda client: TaskWatch(client, task_id, console).follow())
    _show(task, as_json=False)
    _exit_as(task)


@app.command("list")
def list_tasks(
    status: Annotated[str | None, typer.Option(help="pending, running, completed, failed or cancelled.")] = None,
    task_type: Annotated[str | None, typer.Option("--type", help="Only tasks of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List tasks, newest first."""
    page = call(
        url,
        key,
        lambda client: client.get("/tasks", status=status, task_type=task_type, limit=limit, cursor=cursor),
        as_json=as_json,
    )
    if as_json:
        print_json(page)
        return
    print_rows(
        page["tasks"],
        ("id", "task_type", "status", "progress", "title", "summary"),
        empty="There are no tasks. Submit one with `aos task submit`.",
    )
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


@app.command()
def show(task_id: TaskId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show one task."""
    _show(call(url, key, lambda client: client.get(f"/tasks/{task_id}"), as_json=as_json), as_json=as_json)


@app.command()
def execute(task_id: TaskId, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Begin a task that was submitted with --hold."""
    _order("execute", "was begun", task_id, "", url, key, as_json=as_json)


@app.command()
def cancel(task_id: TaskId, reason: Reason = "", url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Ask a task to stop, and all that works on it."""
    _order("cancel", "was asked to stop", task_id, reason, url, key, as_json=as_json)


@app.command()
def pause(task_id: TaskId, reason: Reason = "", url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Ask a task to begin nothing new."""
    _order("pause", "was asked to pause", task_id, reason, url, key, as_json=as_json)


@app.command()
def resume(task_id: TaskId, reason: Reason = "", url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Ask a paused task to go on."""
    _order("resume", "was asked to go on", task_id, reason, url, key, as_json=as_json)


@app.command()
def rerun(task_id: TaskId, reason: Reason = "", url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Do a task again that has ended."""
    _order("rerun", "is done again", task_id, reason, url, key, as_json=as_json)


def _order(
    order: str, said: str, task_id: str, reason: str, url: str | None, key: str | None, *, as_json: bool
) -> None:
    body = {"reason": reason} if reason else None
    answer = call(url, key, lambda client: client.post(f"/tasks/{task_id}/{order}", body), as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        console.print(f"Task {task_id} {said}.")


async def _ended(client: Client, task_id: str) -> dict[str, Any]:
    while True:
        task: dict[str, Any] = await client.get(f"/tasks/{task_id}", wait=30)
        if task["status"] in ("completed", "failed", "cancelled"):
            return task


def _show(task: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(task)
        return
    shown = ("id", "task_type", "title", "target", "status", "progress", "created_at", "duration_seconds")
    print_fields({name: task.get(name) for name in shown})
    if task.get("result"):
        print_fields({"result": task["result"]})
    if task.get("error"):
        print_fields({"error": task["error"].get("message")})


def _exit_as(task: dict[str, Any]) -> None:
    if task["status"] in ("failed", "cancelled"):
        raise typer.Exit(1)
