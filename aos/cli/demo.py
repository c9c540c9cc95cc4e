"""`aos demo`: start the system, have its agents review a code base, show it live, and stop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from aos.cli.app_folder import shipped_app
from aos.cli.client import Client, CommandFailed, Endpoint, connect
from aos.cli.output import console
from aos.cli.submitting import pack_target
from aos.cli.up import started
from aos.cli.watch import TaskWatch
from aos.local.stack import Stack

AGENTS = ["code", "security", "documentation", "cto"]


async def review(target: Path, port: int, home: Path) -> None:
    """Review `target`, and store the report below `home`.

    Raises:
        CommandFailed: the review did not end in a report; the message says why.
    """
    async with (
        started(port, home, shipped_app()) as stack,
        connect(Endpoint(stack.base_url, stack.function_key)) as client,
    ):
        before = await _used(client)
        begun = time.monotonic()
        watch = await _submitted(client, target)
        task = await watch.follow()
        seconds = time.monotonic() - begun
        if task["status"] != "completed":
            raise _why(task, stack)
        places = await _stored(client, task, home / "reports" / task["id"])
        after = await _used(client)
        audit = await client.get("/audit/verification")
    _print_verdict(task)
    _print_cost(watch, {name: after[name] - before.get(name, 0) for name in after}, seconds)
    for form, place in places.items():
        console.print(f"Report ({form}): {place}", markup=False, soft_wrap=True)
    _print_audit(audit, task)


async def _submitted(client: Client, folder: Path) -> TaskWatch:
    console.print(f"\nPacking {folder}", markup=False)
    source = await pack_target(client, folder)
    request = {
        "task_type": "code_review",
        "title": f"Review {folder.name}",
        "target": str(folder),
        "parameters": {"source": source},
        "owner": "demo",
    }
    # The same folder may be reviewed again at once, which without a key would be taken for a repetition.
    key = f"demo-{time.time_ns()}"
    task = await client.post("/tasks", request, headers={"Idempotency-Key": key})
    watch = TaskWatch(client, task["id"], console)
    console.print(f"Task {task['id']}\n", markup=False)
    await watch.start_from_now(AGENTS)
    return watch


async def _used(client: Client) -> dict[str, int]:
    usage: dict[str, int] = (await client.get("/system/status"))["usage"]
    return usage


async def _stored(client: Client, task: dict[str, Any], folder: Path) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for form, artifact in task["result"]["report"].items():
        places[form] = folder / artifact.partition("/")[2]
        await asyncio.to_thread(_write, places[form], await client.download(artifact))
    return places


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _why(task: dict[str, Any], stack: Stack) -> CommandFailed:
    error = task.get("error") or {}
    return CommandFailed(
        f"The review ended as {task['status']}: {error.get('message', 'no reason given')} "
        f"The logs are in {stack.logs}.",
        code=str(error.get("code", "review_failed")),
    )


def _print_verdict(task: dict[str, Any]) -> None:
    result = task["result"]
    changes = result["changes"]
    counts = ", ".join(f"{count} {severity}" for severity, count in result["counts"].items()) or "nothing"
    console.print(f"\n[bold]Verdict: {result['decision']}[/bold] (confidence {result['confidence']:.2f})")
    console.print(f"  {result['rationale']}", markup=False, soft_wrap=True)
    console.print(f"  Found: {counts}. Score: {result['score']:.2f}.", soft_wrap=True)
    if changes["first_run"]:
        console.print("  The first review of this target; the next one will say what changed.")
    else:
        new, fixed, still_there = changes["new"], changes["fixed"], changes["still_there"]
        console.print(f"  Since the last review: {new} new, {fixed} fixed, {still_there} still there.")


def _print_cost(watch: TaskWatch, used: dict[str, int], seconds: float) -> None:
    sends, receives, completes = (used.get(f"bus_{name}", 0) for name in ("sends", "receives", "completes"))
    storage = used.get("table_operations", 0) + used.get("blob_operations", 0)
    console.print(
        f"\nIt took {seconds * 1000:,.0f} ms and {watch.turns} turns: {watch.storage_operations} storage transactions "
        f"in the turns ({storage} with lists, uploads and this display) and {sends + receives + completes} bus "
        f"operations ({sends} sends, {receives} receives, {completes} completes).",
        soft_wrap=True,
    )


def _print_audit(audit: dict[str, Any], task: dict[str, Any]) -> None:
    state = "intact" if audit["intact"] else f"BROKEN: {audit['problems']}"
    console.print(f"Audit: {audit['entries']} journal entries of {audit['agents']} agents, {state}.")
    console.print(
        f"To verify it yourself: `aos up`, then `aos audit verify` or `aos audit verify task:{task['id']}`.",
        soft_wrap=True,
    )
