"""`aos agent purpose` and `aos goal`: how an agent's pursuit of its purpose goes, and its goals."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call

goals = typer.Typer(help="Set an agent's goals, and report on them.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The agent's address.")]
Goal = Annotated[str, typer.Argument(help="The goal's id, such as `goal_1`; `aos agent purpose` lists them.")]
Note = Annotated[str | None, typer.Option("--note", help="What there is to say of it.")]


def purpose(
    address: Address,
    turns: Annotated[int, typer.Option(min=1, max=500, help="How many turns to look back.")] = 20,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show how an agent's pursuit of its purpose goes: goals, metrics, flags, and what its turns were worth."""
    found = call(url, key, lambda client: client.get(f"/agents/{address}/purpose", turns=turns), as_json=as_json)
    if as_json:
        print_json(found)
        return
    listed, history = found.pop("goals"), found.pop("history")
    flags = found.pop("flags")
    print_fields(found)
    for name, reason in flags.items():
        console.print(f"[bold]{name.replace('_', ' ')}[/bold]: {reason}")
    rows = [{**goal, "last note": goal["notes"][-1]["note"] if goal["notes"] else None} for goal in listed]
    columns = ("goal_id", "status", "progress", "deadline", "description", "last note")
    print_rows(rows, columns, empty="There are no goals.")
    print_rows(history, ("turn", "time", "score", "aligned", "useful", "flagged"), empty="No turn was scored yet.")


@goals.command("add")
def add(
    address: Address,
    description: Annotated[str, typer.Argument(help="What is to be reached.")],
    criteria: Annotated[list[str] | None, typer.Option("--criterion", help="By what one sees that it is.")] = None,
    deadline: Annotated[str | None, typer.Option(help="Until when: `2027-01-31T00:00:00Z`.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Set a goal."""
    body = {"description": description, "success_criteria": criteria or [], "deadline": deadline}
    _send(f"/agents/{address}/goals", body, url, key, as_json=as_json)


@goals.command("progress")
def progress(
    address: Address,
    goal: Goal,
    share: Annotated[float, typer.Argument(min=0, max=1, help="How far it is: 0 to 1.")],
    note: Note = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Say how far a goal is."""
    body = {"progress": share, "notes": note}
    _send(f"/agents/{address}/goals/{goal}/progress", body, url, key, as_json=as_json)


@goals.command("complete")
def complete(
    address: Address, goal: Goal, note: Note = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """Say that a goal is reached."""
    _send(f"/agents/{address}/goals/{goal}/complete", {"notes": note}, url, key, as_json=as_json)


def _send(path: str, body: dict[str, Any], url: str | None, key: str | None, *, as_json: bool) -> None:
    sent = call(url, key, lambda client: client.post(path, body), as_json=as_json)
    if as_json:
        print_json(sent)
    else:
        console.print(f"Message {sent['message_id']} is in the mailbox of {sent['agent']}.")
