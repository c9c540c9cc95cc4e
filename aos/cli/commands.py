"""All commands, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aos import __version__
from aos.cli import (
    agent,
    audit,
    business_app,
    configuration,
    deadletter,
    lifecycle,
    mcp,
    planning,
    purpose,
    request,
    schedule,
    task,
    teamwork,
    tool,
    workflow,
    workflow_run,
)
from aos.cli.models import app as models_app
from aos.cli.running import fail, run
from aos.kernel.errors import AosError

app = typer.Typer(
    help="AOS, the Agent Operating System: run it here, or work with one that runs elsewhere.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(task.app, name="task")
app.add_typer(agent.app, name="agent")
app.add_typer(purpose.goals, name="goal")
app.add_typer(lifecycle.team_app, name="team")
teamwork.add_to(lifecycle.team_app)
workflow.app.command("plan")(planning.plan)
app.add_typer(tool.app, name="tool")
app.add_typer(schedule.app, name="schedule")
app.add_typer(workflow.app, name="workflow")
workflow_run.add_to(workflow.app)
app.add_typer(request.app, name="request")
app.add_typer(mcp.app, name="mcp")
app.add_typer(business_app.app, name="app")
app.add_typer(deadletter.app, name="deadletter")
app.add_typer(audit.app, name="audit")
app.add_typer(configuration.app, name="config")
app.add_typer(models_app, name="models")

Port = Annotated[int, typer.Option("--port", help="Port of the API. Another is chosen, and named, where it is taken.")]
Data = Annotated[Path, typer.Option("--data", help="Where the system keeps its data, logs and keys.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of all commands."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where; it is made if it is not there.", file_okay=False)] = Path(),
) -> None:
    """Begin an app of your own: a folder with one agent, that `aos up` runs and Azure Functions hosts."""
    from aos.cli.app_folder import begin_app
    from aos.cli.output import console

    try:
        files = begin_app(folder)
    except AosError as error:
        fail(error)
        raise typer.Exit(1) from error
    for file in files:
        console.print(str(file), markup=False, soft_wrap=True)


@app.command()
def up(port: Port = 7071, data: Data = Path(".aos")) -> None:
    """Run the whole system here until Ctrl-C, for development. Its data stays between runs.

    Runs the app in the working folder if there is one, and else the agents that come with AOS.
    """
    from aos.cli.up import run_until_stopped

    run(lambda: run_until_stopped(port, data.resolve()))


@app.command()
def demo(
    target: Annotated[Path, typer.Argument(help="The code base to review.", exists=True, file_okay=False)] = Path(),
    port: Port = 7071,
    data: Data = Path(".aos"),
) -> None:
    """Start the system, have its agents review a code base, show it, and stop."""
    from aos.cli.demo import review

    run(lambda: review(target.resolve(), port, data.resolve()))


@app.command()
def bus(
    config: Annotated[Path | None, typer.Option(help="Entities, as in the official emulator's Config.json.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="AMQP port; 0 for any.")] = 5672,
    data: Annotated[Path | None, typer.Option(help="Keep messages in this folder; in memory otherwise.")] = None,
    admin_port: Annotated[int | None, typer.Option(help="Administration and /health over HTTP.")] = None,
    admin_tls_port: Annotated[int | None, typer.Option(help="Administration over TLS; needs --admin-port.")] = None,
) -> None:
    """Run the Service Bus emulator on its own, for any project."""
    from aos.local.servicebus.broker import BrokerOptions
    from aos.local.servicebus.serve import serve

    if admin_tls_port is not None and admin_port is None:
        raise typer.BadParameter("needs --admin-port as well", param_hint="--admin-tls-port")
    options = BrokerOptions(
        config=config, host=host, port=port, data=data, admin_port=admin_port, admin_tls_port=admin_tls_port
    )
    run(lambda: serve(options))
