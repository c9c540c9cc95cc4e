"""`aos config`: what is configured and where it is from, and whether it will do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from aos.cli.output import console, errors, print_json, print_rows
from aos.cli.running import Json, fail
from aos.kernel.errors import AosError

app = typer.Typer(help="See what is configured and where it is from, and check it.", no_args_is_help=True)

ConfigFile = Annotated[
    Path | None, typer.Option("--file", help="A configuration file. Default: the one AOS_CONFIG_FILE names.")
]


@app.command()
def show(
    sources: Annotated[bool, typer.Option("--sources", help="Say where each value is from.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show all settings as they are in force in this environment. Secrets are masked."""
    from aos.config_report import settings_in_force

    try:
        settings = settings_in_force(os.environ, file)
    except AosError as error:
        fail(error, as_json=as_json)
        raise typer.Exit(1) from error
    if as_json:
        print_json({"settings": [setting.to_json() for setting in settings]})
        return
    columns = ("name", "value", "source") if sources else ("name", "value")
    print_rows([setting.to_json() for setting in settings], columns, empty="There are no settings.")


@app.command()
def check(
    file: ConfigFile = None,
    app_registry: Annotated[
        Path | None, typer.Option("--app-registry", help="A registry of business apps, to be checked with it.")
    ] = None,
    servers: Annotated[
        Path | None, typer.Option("--servers", help="A registry of MCP servers, for what the apps need.")
    ] = None,
    consolidated: Annotated[
        Path | None, typer.Option("--consolidated", help="A consolidated_config.json, to be checked with it.")
    ] = None,
    self_learning: Annotated[
        Path | None, typer.Option("--self-learning", help="A self_learning_config.json, to be checked with it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check settings, agents and, where given, apps and the files of other systems.

    Ends with exit code 1 where something must be mended.
    """
    from aos.config_report import check as look

    report = look(os.environ, file)
    answer = report.to_json()
    try:
        answer["issues"] += _apps(app_registry, servers, report.agents)
        answer["warnings"] += _others(consolidated, self_learning)
    except AosError as error:
        answer["issues"].append(error.message)
    answer["valid"] = not answer["issues"]
    if as_json:
        print_json(answer)
    else:
        for warning in answer["warnings"]:
            errors.print(f"[yellow]warning[/yellow]: {warning}", soft_wrap=True)
        for issue in answer["issues"]:
            errors.print("[red]issue[/red]: ", end="")
            errors.print(issue, markup=False, soft_wrap=True)
        if answer["valid"]:
            console.print(f"The configuration is right. Agents: {', '.join(report.agents) or 'none'}.", soft_wrap=True)
    if not answer["valid"]:
        raise typer.Exit(1)


def _others(consolidated: Path | None, self_learning: Path | None) -> list[str]:
    """What the files of other systems say that has no effect, or not yet."""
    from aos.consolidated_config import ConsolidatedConfig
    from aos.self_learning_config import SelfLearningConfig

    told: list[str] = []
    if consolidated is not None:
        read = ConsolidatedConfig.read(consolidated, os.environ)
        told += [f"{consolidated}: {warning}" for warning in read.warnings()]
    if self_learning is not None:
        learning = SelfLearningConfig.read(self_learning, os.environ)
        told += [f"{self_learning}: {warning}" for warning in learning.warnings(os.environ)]
    return told


def _apps(app_registry: Path | None, servers: Path | None, agents: tuple[str, ...]) -> list[str]:
    if app_registry is None:
        return []
    from aos.agents.agent_registry_file import read_server_names
    from aos.agents.app_registry import AppRegistry

    apps = AppRegistry.read(app_registry)
    known = read_server_names(servers) if servers else None
    return [*apps.problems, *apps.check(agents=agents, servers=known)]
