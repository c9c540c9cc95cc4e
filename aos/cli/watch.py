"""Follows a task in the terminal: who woke, what was said to whom, how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape

from aos.cli.client import Client, CommandFailed

FINAL = ("completed", "failed", "cancelled")
_PAUSE = 0.2


class TaskWatch:
    """Reads the journals of a task and of those it works with, and prints what is new in them.

    Attributes:
        turns, storage_operations, messages_sent: What the task's turns added up to so far.
    """

    def __init__(self, client: Client, task_id: str, console: Console) -> None:
        self._client = client
        self._task = f"task:{task_id}"
        self._task_id = task_id
        self._console = console
        self._seen: dict[str, int] = {}
        self.turns = 0
        self.storage_operations = 0
        self.messages_sent = 0

    async def start_from_now(self, agents: list[str]) -> None:
        """Leave out what these agents did before."""
        for agent in agents:
            try:
                self._seen[agent] = (await self._client.get(f"/agents/{agent}/status"))["version"]
            except CommandFailed as error:
                if error.code != "not_found":
                    raise

    async def follow(self) -> dict[str, Any]:
        """Print until the task has ended; returns its detail."""
        with self._console.status("waiting for the task's agent to wake") as line:
            while True:
                task: dict[str, Any] = await self._client.get(f"/tasks/{self._task_id}")
                await self._print_news(task)
                if task["status"] in FINAL:
                    return task
                line.update(_progress(task))
                await asyncio.sleep(_PAUSE)

    async def _print_news(self, task: dict[str, Any]) -> None:
        entries: list[dict[str, Any]] = []
        run = [f"workflow:{task['run_id']}"] if task.get("run_id") else []
        agents = [part["agent"] for part in task.get("participants", []) if part["agent"]]
        for agent in dict.fromkeys([self._task, *run, *agents]):
            entries += await self._new_entries(agent)
        for entry in sorted(entries, key=lambda item: item["time"]):
            self.turns += 1
            self.storage_operations += entry["usage"]["storage_operations"]
            self.messages_sent += len(entry["sent"])
            for line in self._lines(entry):
                self._console.print(line, soft_wrap=True)

    async def _new_entries(self, agent: str) -> list[dict[str, Any]]:
        try:
            page = await self._client.get(f"/agents/{agent}/journal", after=self._seen.get(agent, 0), limit=100)
        except CommandFailed as error:
            if error.code == "not_found":
                return []
            raise
        entries: list[dict[str, Any]] = page["entries"]
        if entries:
            self._seen[agent] = entries[-1]["version"]
        return [entry for entry in entries if self._concerns(entry)]

    def _concerns(self, entry: dict[str, Any]) -> bool:
        return any(item["message"].get("conversationid") == self._task for item in entry["received"])

    def _lines(self, entry: dict[str, Any]) -> Iterator[str]:
        agent = escape(_short(entry["agent"]))
        woken_by = ", ".join(_woken_by(item) for item in entry["received"])
        yield (
            f"{_clock(entry['time'])} [bold cyan]{agent:<14}[/] woke: {escape(woken_by)} "
            f"[dim](turn {entry['version']}, {entry['duration_ms']:.0f} ms, "
            f"storage operations: {entry['usage']['storage_operations']})[/]"
        )
        for sent in entry["sent"]:
            if sent["body"].get("type") != "aos.timeout":
                yield f"{' ' * 12} {' ' * 14} [green]{escape(_said(sent))}[/]"
        for decision in entry["decisions"]:
            text = f"decided: {decision['selected']} (confidence {decision['confidence']:.2f})"
            yield f"{' ' * 12} {' ' * 14} [yellow]{escape(text)}[/]"
        for item in entry["received"]:
            if item.get("error"):
                yield f"{' ' * 12} {' ' * 14} [red]{escape(item['outcome'])}: {escape(item['error']['message'])}[/]"


def _progress(task: dict[str, Any]) -> str:
    working = [part["agent"] or part["step"] for part in task.get("participants", []) if part["status"] == "running"]
    return f"{task['progress']:.0%} done" + (f"; at work: {', '.join(working)}" if working else "")


def _short(address: str) -> str:
    kind, _, _ = address.partition(":")
    return kind if kind in ("task", "workflow") else address


def _clock(time: str) -> str:
    return f"[dim]{time[11:23]}[/]"


def _woken_by(item: dict[str, Any]) -> str:
    message = item["message"]
    sender = _short(message["source"]) if not message["source"].startswith("/") else "you"
    return f"{message['type']} from {sender}"


def _said(sent: dict[str, Any]) -> str:
    body = sent["body"]
    to = _short(sent.get("session") or body.get("topic") or sent["entity"])
    data = body.get("data")
    summary = data.get("summary") if isinstance(data, dict) else None
    return f"-> {to}: {body.get('type')}" + (f": {summary}" if summary else "")
