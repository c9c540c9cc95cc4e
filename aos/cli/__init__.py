"""The `aos` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    try:
        from aos.cli.commands import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        raise SystemExit("The `aos` command needs more: pip install 'agent-operating-system[local]'") from error
    app()
