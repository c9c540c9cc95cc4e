"""`aos workflow`: check, keep, see and draw workflows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from aos.cli.client import Client, CommandFailed
from aos.cli.output import console, print_fields, print_json, print_rows
from aos.cli.running import Json, Key, Url, call, fail

if TYPE_CHECKING:
    from aos.workflows.definition.workflow import Workflow

app = typer.Typer(help="Check, keep, run and watch workflows.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A workflow: YAML, or JSON where its name ends so.", dir_okay=False)]
Reference = Annotated[str, typer.Argument(help="`name`, which is its latest version, or `name@version`.")]
Cursor = Annotated[str | None, typer.Option(help="Where the page before said to go on.")]
Limit = Annotated[int, typer.Option(min=1, max=1000)]
Shape = Annotated[Literal["mermaid", "json"], typer.Option("--format", help="A Mermaid flowchart, or nodes and edges.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write it to this file.", dir_okay=False)]


@app.command()
def check(
    file: File,
    offline: Annotated[bool, typer.Option("--offline", help="Look at the file alone; needs no system.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Find everything that is wrong with a workflow. Exit code 1 where something is."""
    if offline:
        found = _checked_here(file, as_json=as_json)
    else:
        found = call(url, key, lambda client: post_file(client, "/workflows/check", file), as_json=as_json)
    if as_json:
        print_json(found)
    elif found["ok"]:
        alone = " The agents, tools, teams and workflows it names were not looked for." if offline else ""
        console.print(f"Nothing is wrong with {found['name']}, version {found['version']}.{alone}")
    else:
        for problem in found["problems"]:
            line = f"line {problem['line']}: " if problem.get("line") else ""
            console.print(f"{line}[bold]{escape(problem['where'])}[/bold]: {escape(problem['message'])}")
    if not found["ok"]:
        raise typer.Exit(1)


@app.command()
def put(
    file: File,
    by: Annotated[str | None, typer.Option(help="Who puts it; it is kept with the version.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Keep a workflow, as the latest version of its name."""
    kept = call(url, key, lambda client: post_file(client, "/workflows", file, by=by), as_json=as_json)
    if as_json:
        print_json(kept)
        return
    said = "was the latest already" if kept["repeated"] else f"is version number {kept['number']}"
    console.print(f"{kept['name']}@{kept['version']} {said}.")


@app.command("list")
def list_workflows(
    limit: Limit = 50, cursor: Cursor = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """List the workflows there are."""
    page = call(url, key, lambda client: client.get("/workflows", limit=limit, cursor=cursor), as_json=as_json)
    _print_page(
        page, page["workflows"], as_json=as_json, empty="There are no workflows. Put one there with `aos workflow put`."
    )


@app.command()
def versions(
    name: Annotated[str, typer.Argument(help="Name of the workflow.")],
    limit: Limit = 50,
    cursor: Cursor = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List the versions of a workflow, newest first."""
    path = f"/workflows/{name}/versions"
    page = call(url, key, lambda client: client.get(path, limit=limit, cursor=cursor), as_json=as_json)
    _print_page(page, page["versions"], as_json=as_json, empty="There are no more versions.")


@app.command()
def show(reference: Reference, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show a workflow: its inputs, and its steps with what they need."""

    async def read(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
        path = f"/workflows/{reference}"
        return await client.get(path), await client.get(f"{path}/graph", format="json")

    found, graph = call(url, key, read, as_json=as_json)
    if as_json:
        print_json(found)
        return
    print_fields({name: found[name] for name in ("name", "version", "title", "description") if found[name]})
    inputs = found["definition"].get("inputs", {})
    if inputs:
        print_fields({"inputs": ", ".join(f"{name} ({item.get('type', 'any')})" for name, item in inputs.items())})
    needs: dict[str, list[str]] = {}
    for edge in graph["edges"]:
        needs.setdefault(edge["to"], []).append(edge["from"])
    rows = [{**node, "step": node["id"], "after": ", ".join(needs.get(node["id"], ()))} for node in graph["nodes"]]
    print_rows(rows, ("step", "kind", "who", "after", "title"), empty="")


@app.command()
def graph(
    what: Annotated[str | None, typer.Argument(help="A file, or `name` or `name@version`.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Draw this run instead: how each step stands.")] = None,
    shape: Shape = "mermaid",
    out: Out = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Draw a workflow, or a run of one."""
    if (what is None) == (run is None):
        raise typer.BadParameter("give a file or a name, or a run with --run")
    if what is not None and Path(what).is_file():
        text = _drawn_here(Path(what), shape)
    else:
        path = f"/workflows/{what}/graph" if run is None else f"/workflow-runs/{run}/graph"
        text = call(url, key, lambda client: client.text(path, format=shape))
    write_out(text, out)


def write_out(text: str, out: Path | None) -> None:
    """Print a text as it is, or write it to a file."""
    if out is None:
        typer.echo(text.rstrip("\n"))
        return
    out.write_text(text, encoding="utf-8")
    console.print(f"Written to {escape(str(out))}.")


async def post_file(client: Client, path: str, file: Path, **query: Any) -> dict[str, Any]:
    """Post a workflow file."""
    kind = "application/json" if file.suffix == ".json" else "application/yaml"
    answer: dict[str, Any] = await client.post_text(path, _text_of(file), kind, name=name_of(file), **query)
    return answer


def name_of(file: Path) -> str:
    """The name of the workflow in a file that gives it none."""
    from aos.workflows.definition.workflow_file import name_by

    return name_by(file)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}. Give a text file in UTF-8.") from error


def _checked_here(file: Path, *, as_json: bool) -> dict[str, Any]:
    from aos.kernel.errors import InvalidInput
    from aos.workflows.definition.check import check as check_workflow
    from aos.workflows.definition.workflow_file import listed_fields, parse_unchecked

    try:
        text = _text_of(file)
    except CommandFailed as error:
        fail(error, as_json=as_json)
        raise typer.Exit(1) from error
    try:
        read = parse_unchecked(text, source=str(file), name=name_of(file), is_json=file.suffix == ".json")
    except InvalidInput as error:
        return {"ok": False, "problems": listed_fields(error, str(file))}
    problems = read.listed(check_workflow(read.workflow))
    return {"ok": not problems, "name": read.workflow.name, "version": read.workflow.version, "problems": problems}


def _drawn_here(file: Path, shape: str) -> str:
    from aos.kernel.errors import AosError
    from aos.workflows.definition.graph_json import graph_json
    from aos.workflows.definition.mermaid import flowchart

    try:
        workflow = _read_here(file)
    except AosError as error:
        fail(error)
        raise typer.Exit(1) from error
    if shape == "mermaid":
        return flowchart(workflow)
    return json.dumps(graph_json(workflow), ensure_ascii=False, indent=2)


def _read_here(file: Path) -> Workflow:
    from aos.workflows.definition.workflow_file import read_workflow_file

    return read_workflow_file(file).workflow


def _print_page(page: dict[str, Any], rows: list[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    if as_json:
        print_json(page)
        return
    print_rows(rows, ("name", "version", "number", "title", "at", "by"), empty=empty)
    if page["cursor"]:
        console.print(f"More: --cursor {page['cursor']}")
