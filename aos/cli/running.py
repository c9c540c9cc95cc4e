"""Runs a command's coroutine against a system, and ends with a sentence and exit code 1 where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from aos.cli.client import Client, Endpoint, connect
from aos.cli.output import errors, print_json
from aos.kernel.errors import AosError

T = TypeVar("T")

Url = Annotated[str | None, typer.Option("--url", help="Base URL of the system. Default: AOS_URL, else `aos up` here.")]
Key = Annotated[str | None, typer.Option("--key", help="Function key. Default: AOS_KEY, else that of `aos up` here.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def call(url: str | None, key: str | None, work: Callable[[Client], Awaitable[T]], *, as_json: bool = False) -> T:
    """Run `work` with a client."""

    async def connected() -> T:
        async with connect(Endpoint.find(url, key)) as client:
            return await work(client)

    return run(connected, as_json=as_json)


def run(work: Callable[[], Awaitable[T]], *, as_json: bool = False) -> T:
    """Run a coroutine; an `AosError` ends the program with exit code 1, Ctrl-C with 130."""

    async def awaited() -> T:
        return await work()

    try:
        return asyncio.run(awaited())
    except AosError as error:
        fail(error, as_json=as_json)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(error: AosError, *, as_json: bool = False) -> None:
    """Say what went wrong."""
    if as_json:
        print_json({"error": error.message, "code": error.code, "details": error.details})
    else:
        errors.print(f"[red]{error.code}[/red]: {_plain(error.message)}")


def _plain(text: Any) -> str:
    return str(text).replace("[", "\\[")
