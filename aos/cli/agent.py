"""`aos agent`: see the agents, send them messages, read their journals."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from aos.cli import conversing, declaring, lifecycle, purpose
from aos.cli.client import CommandFailed
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call, fail

app = typer.Typer(help="See the agents, send them messages, read their journals.", no_args_is_help=True)
app.command("register")(declaring.register)
app.command("deregister")(declaring.deregister)
app.command("import")(declaring.import_registry)
for _order in (lifecycle.pause, lifecycle.quarantine, lifecycle.drain, lifecycle.resume, lifecycle.terminate):
    app.command(_order.__name__)(_order)
app.command("health")(lifecycle.health)
app.command("history")(lifecycle.history)
app.command("conversations")(conversing.list_conversations)
app.command("conversation")(conversing.show_conversation)
app.command("purpose")(purpose.purpose)

Address = Annotated[str, typer.Argument(help="The agent's address: `cto`, or `task:<id>`.")]


@app.command("list")
def list_agents(
    type_: Annotated[str | None, typer.Option("--type", help="Only agents of this type.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List the agents."""
    page = call(url, key, lambda client: client.get("/agents", type=type_, limit=limit, cursor=cursor), as_json=as_json)
    if as_json:
        print_json(page)
        return
    print_rows(page["agents"], ("id", "name", "status", "version", "last_active"), empty="There are no agents yet.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


@app.command()
def show(address: Address, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show one agent with its state."""
    agent = call(url, key, lambda client: client.get(f"/agents/{address}"), as_json=as_json)
    if as_json:
        print_json(agent)
        return
    state = agent.pop("state")
    print_fields(agent)
    console.print("[bold]state[/bold]")
    print_json(state)


@app.command()
def send(
    address: Address,
    message_type: Annotated[str, typer.Argument(help="What the message means; `aos agent show` lists the types.")],
    data: Annotated[str, typer.Argument(help="The payload as JSON.")] = "null",
    message_id: Annotated[str | None, typer.Option("--id", help="The same id has its effect once.")] = None,
    conversation: Annotated[str | None, typer.Option(help="The conversation it belongs to.")] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", help="What is to be known of the data: `untrusted:web`. May be given several times."),
    ] = None,
    wait: Annotated[float, typer.Option(min=0, max=200, help="Seconds to wait for the agent's answer.")] = 0,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Put a message into an agent's mailbox; with `--wait`, show what the agent answered."""
    try:
        payload: Any = json.loads(data)
    except ValueError as error:
        fail(CommandFailed(f"The payload is not JSON: {error}."), as_json=as_json)
        raise typer.Exit(2) from error
    body = {
        "type": message_type,
        "data": payload,
        "id": message_id,
        "conversation_id": conversation,
        "labels": labels or [],
    }
    path = f"/agents/{address}/messages"
    sent = call(url, key, lambda client: client.post(path, body, params={"wait": wait}), as_json=as_json)
    if as_json:
        print_json(sent)
    elif "error" in sent:
        fail(CommandFailed(sent["error"]["message"], code=sent["error"]["code"]), as_json=False)
    elif "answer" in sent:
        print_json(sent["answer"])
    elif sent.get("outcome") == "applied" and "answer_pending" not in sent:
        console.print(f"{sent['agent']} took message {sent['message_id']}, and answered nothing.")
    else:
        console.print(f"Message {sent['message_id']} is in the mailbox of {sent['agent']}.")
    if "error" in sent:
        raise typer.Exit(1)


@app.command()
def command(
    order: Annotated[str, typer.Argument(help="start, stop, restart or reload_registry.")],
    address: Annotated[str | None, typer.Argument(help="The agent's address; `reload_registry` needs none.")] = None,
    reason: Annotated[str | None, typer.Option(help="Is put on record.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Give a command in the words of other systems: start, stop, restart, or look up the declared agents anew."""
    body = {"command": order, "agent_id": address, "params": {"reason": reason} if reason else {}}
    done = call(url, key, lambda client: client.post("/agent-commands", body), as_json=as_json)
    if as_json:
        print_json(done)
    elif done["agent_id"] is None:
        console.print(f"The agents there are now: {', '.join(done['agents']) or 'none'}.", soft_wrap=True)
    else:
        console.print(f"Agent {done['agent_id']} is {done['status']}.")


@app.command()
def journal(
    address: Address,
    after: Annotated[int, typer.Option(min=0, help="Entries above this version.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show what an agent did, turn by turn."""
    page = call(
        url, key, lambda client: client.get(f"/agents/{address}/journal", after=after, limit=limit), as_json=as_json
    )
    if as_json:
        print_json(page)
        return
    print_rows(
        [_row(entry) for entry in page["entries"]],
        ("turn", "time", "received", "sent", "decided", "ms"),
        empty="No turns yet.",
    )
    if page["after"]:
        console.print(f"More: --after {page['after']}")


@app.command()
def wakes(address: Address, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show what wakes an agent: messages, topics, the clock, and facts of other agents."""
    plan = call(url, key, lambda client: client.get(f"/agents/{address}/wakes"), as_json=as_json)
    if as_json:
        print_json(plan)
        return
    rows = [{**line, "rules": _rules(line)} for line in plan["wakes"]]
    columns = ("kind", "on", "name", "message", "rules", "next", "last", "armed")
    print_rows(rows, columns, empty="Nothing wakes this agent.")


@app.command()
def questions(
    address: Annotated[str | None, typer.Argument(help="Only this agent's questions.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said to go on.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List what agents wait for people to answer."""
    page = call(
        url, key, lambda client: client.get("/questions", agent=address, limit=limit, cursor=cursor), as_json=as_json
    )
    if as_json:
        print_json(page)
        return
    columns = ("agent", "id", "since", "expires", "message")
    print_rows(page["questions"], columns, empty="No agent waits for an answer.")
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    sent = [
        f"{item['body'].get('type', 'message')} to {item.get('session') or item['entity']}" for item in entry["sent"]
    ]
    return {
        "turn": entry["version"],
        "time": entry["time"],
        "received": ", ".join(f"{item['message']['type']} ({item['outcome']})" for item in entry["received"]),
        "sent": ", ".join(sent) or None,
        "decided": ", ".join(decision["selected"] for decision in entry["decisions"]) or None,
        "ms": entry["duration_ms"],
    }


def _rules(line: dict[str, Any]) -> str | None:
    """What holds for a wake by the clock: its zone, what follows an outage, its spacing, its quiet hours."""
    if "catch_up" not in line:
        return None
    rules = [line["zone"], f"catches up {line['catch_up']}"]
    if line["spacing_seconds"]:
        rules.append(f"{line['spacing_seconds']:g} s apart")
    return ", ".join([*rules, *(f"quiet {hours}" for hours in line["quiet"])])
