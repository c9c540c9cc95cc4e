"""Follows a run of a workflow in the terminal: a picture that keeps up with it, or a line for each change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from aos.cli.client import Client, CommandFailed
from aos.cli.run_view import FINAL, RunPicture, RunView, facts, who_of

_WAIT = 20
"""Seconds to wait for news at a time."""
_DEPTH = 2
"""How deep runs within runs are shown."""
_REFRESH = 2
"""Times a second that the picture is drawn anew."""
_PAUSE = 0.2
_NOT_BEGUN: dict[str, Any] = {
    "status": "pending",
    "started_at": None,
    "completed_at": None,
    "error": None,
    "retry_count": 0,
}


class RunWatch:
    """Looks at a run whenever something happens in it."""

    def __init__(self, client: Client, run_id: str, console: Console) -> None:
        self._client = client
        self._run_id = run_id
        self._console = console
        self._workflows: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {}

    async def look(self) -> RunPicture:
        """The run as it is now."""
        return await self._look(self._run_id, _DEPTH)

    async def follow(self) -> dict[str, Any]:
        """Show the run until it has ended; returns it."""
        after = await self._position()
        picture = await self.look()
        if not self._console.is_terminal:
            return await self._in_lines(picture, after)
        view = RunView(picture)
        with Live(view, console=self._console, refresh_per_second=_REFRESH, vertical_overflow="crop") as live:
            while view.picture.run["status"] not in FINAL:
                after = await self._news(after)
                view.picture = await self.look()
            live.refresh()
        return view.picture.run

    async def _in_lines(self, picture: RunPicture, after: str | None) -> dict[str, Any]:
        seen: dict[str, str] = {}
        while True:
            for line in news(picture, seen, datetime.now(UTC)):
                self._console.print(line, soft_wrap=True)
            if picture.run["status"] in FINAL:
                return picture.run
            after = await self._news(after)
            picture = await self._look(self._run_id, 0)

    async def _position(self) -> str | None:
        """Id of the newest event of the run; None where it has not begun."""
        try:
            status = await self._client.get(f"/agents/workflow:{self._run_id}/status")
        except CommandFailed as error:
            if error.code != "not_found":
                raise
            return None
        return str(status["version"])

    async def _news(self, after: str | None) -> str | None:
        """Wait until something happens; returns the id of the last event of it."""
        path = f"/workflow-runs/{self._run_id}/events"
        page: dict[str, Any] = await self._client.get(path, after=after, wait=_WAIT)
        # What happens at once is looked at together: a run may take many turns a second.
        await asyncio.sleep(_PAUSE)
        return page["after"] or after

    async def _look(self, run_id: str, depth: int) -> RunPicture:
        run = await self._client.get(f"/workflow-runs/{run_id}")
        run["title"], nodes = await self._workflow_of(run)
        stand = run.pop("steps")
        steps = [{**node, **stand.get(id, {})} for id, node in nodes.items()]
        inner: dict[str, RunPicture] = {}
        for step in steps:
            if depth > 0 and step["kind"] == "workflow" and step["status"] == "running" and step.get("run_id"):
                inner |= await self._look_inside(step, depth)
        return RunPicture(run, steps, inner)

    async def _look_inside(self, step: dict[str, Any], depth: int) -> dict[str, RunPicture]:
        try:
            return {step["id"]: await self._look(step["run_id"], depth - 1)}
        except CommandFailed as error:
            if error.code != "unknown_run":
                raise
            return {}  # it was started a moment ago

    async def _workflow_of(self, run: dict[str, Any]) -> tuple[str, dict[str, dict[str, Any]]]:
        """The title of the run's workflow, and its steps as they are before they begin."""
        reference = f"{run['workflow']}@{run['version']}"
        if reference not in self._workflows:
            graph = await self._client.get(f"/workflows/{reference}/graph", format="json")
            needs: dict[str, list[str]] = {node["id"]: [] for node in graph["nodes"]}
            for edge in graph["edges"]:
                needs[edge["to"]].append(edge["from"])
            nodes = {node["id"]: {**_NOT_BEGUN, **node, "needs": needs[node["id"]]} for node in graph["nodes"]}
            self._workflows[reference] = graph["title"], nodes
        return self._workflows[reference]


def news(picture: RunPicture, seen: dict[str, str], now: datetime) -> Iterator[str]:
    """A line for each step that stands otherwise than it did, and for the run.

    Args:
        picture: How the run stands.
        seen: How each step stood by its id; brought up to date.
        now: The time that lines begin with.
    """
    clock = f"[dim]{now.astimezone():%H:%M:%S}[/dim]"
    for step in picture.steps:
        stands = _stands(step)
        if seen.get(step["id"], "pending") != stands:
            seen[step["id"]] = stands
            said = [part for part in facts(step, now) if part != step["status"]]
            about = f" [dim]{escape('  '.join(said))}[/dim]" if said else ""
            yield f"{clock} {escape(step['title'])} [dim]({escape(who_of(step))})[/dim] {step['status']}{about}"
    status = picture.run["status"]
    if seen.get("", "pending") != status:
        seen[""] = status
        yield f"{clock} [bold]{escape(picture.run['workflow'])} {status}[/bold]"


def _stands(step: dict[str, Any]) -> str:
    """What makes a line worth while: the status, a new attempt, a tenth of a map."""
    items = step.get("items")
    tenth = f" {10 * items['done'] // items['total']}" if items and items["total"] else ""
    attempt = f" {step['retry_count']}" if step["retry_count"] and step["status"] in ("running", "waiting") else ""
    return f"{step['status']}{attempt}{tenth}"
