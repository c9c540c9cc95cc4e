"""`aos models`: see the model providers, try them, ask one, and see how a call would be routed."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from aos.cli.output import console, errors, print_json, print_rows
from aos.cli.running import Json, run

if TYPE_CHECKING:
    from aos.llm.response import ModelResponse
    from aos.llm.route import Route
    from aos.llm.router import ModelRouter
    from aos.llm.tries import Try

app = typer.Typer(help="See the AI model providers, try them, and ask one.", no_args_is_help=True)

T = TypeVar("T")
Config = Annotated[
    Path | None, typer.Option("--config", help="The models' configuration, TOML or JSON. Default: AOS_MODELS_FILE.")
]
Models = Annotated[
    list[str] | None, typer.Option("--model", "-m", help="A provider, or provider/model. Repeat it for a chain.")
]
Strategy = Annotated[
    str | None,
    typer.Option(help="priority, cheapest, fastest, balanced, round_robin, or an order: quality_first, speed_first, "
                      "cost_optimized."),
]  # fmt: skip
Local = Annotated[bool, typer.Option("--local", help="Only providers on this machine.")]


@app.command("list")
def list_providers(
    every: Annotated[bool, typer.Option("--all", help="Also those that are not configured.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List who is configured, with tier, status, breaker and price."""

    async def work(router: ModelRouter) -> list[dict[str, Any]]:
        from aos.llm.overview import Overview

        return await Overview(router).providers()

    found = _with_router(config, work, as_json=as_json)
    shown = [each for each in found if every or (each["configured"] and each["status"] == "active")]
    if as_json:
        print_json({"providers": shown})
        return
    print_rows(
        [_row(each) for each in shown],
        ("provider", "tier", "status", "breaker", "model", "usd_per_million", "note"),
        empty="No provider is configured. Set the API key of one; `aos models list --all` names the settings.",
    )


@app.command("test")
def probe(
    providers: Annotated[list[str] | None, typer.Argument(help="Providers or models. Default: all configured.")] = None,
    seconds: Annotated[float, typer.Option(help="Longest wait for each.")] = 30.0,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make one small call to each configured provider. Ends with 1 where any of them failed."""

    async def work(router: ModelRouter) -> list[Try]:
        from aos.llm.overview import Overview

        overview = Overview(router)
        candidates = await overview.candidates(providers or ())
        results: list[Try] = []
        with _progress(quiet=as_json) as progress:
            task = progress.add_task("Testing", total=len(candidates))
            for candidate in candidates:
                progress.update(task, description=f"Asking {candidate.label}")
                results.append(await overview.probe(candidate, seconds))
                progress.advance(task)
        return results

    results = _with_router(config, work, as_json=as_json)
    if as_json:
        print_json({"results": [each.to_json() for each in results]})
    else:
        print_rows(
            [{**each.to_json(), "note": each.message} for each in results],
            ("provider", "model", "status", "seconds", "usd", "note"),
            empty="No provider is configured, so there was nobody to ask.",
        )
    if not results or any(each.status != "success" for each in results):
        raise typer.Exit(1)


@app.command()
def ask(
    prompt: Annotated[str, typer.Argument(help="The question.")],
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    model: Models = None,
    strategy: Strategy = None,
    local: Local = False,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    seconds: Annotated[float, typer.Option(help="Longest wait.")] = 120.0,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask a question. The answer is printed as it comes."""
    from aos.llm.request import ModelRequest

    request = ModelRequest.ask(prompt, system=system, max_tokens=max_tokens, allow_truncated=True)
    route = _route(model, strategy, local=local, seconds=seconds)

    async def work(router: ModelRouter) -> ModelResponse:
        return await _spoken(router, request, route, quiet=as_json)

    response = _with_router(config, work, as_json=as_json)
    cost = None if response.cost is None else response.cost.usd
    if as_json:
        print_json(
            {
                "text": response.text,
                "provider": response.provider,
                "model": response.model,
                "usage": response.usage.model_dump(),
                "cost_usd": cost,
                "latency": response.latency,
                "finish_reason": response.finish_reason,
            }
        )
        return
    price = "cost not known" if cost is None else f"{cost:.6f} USD"
    errors.print(
        f"{response.provider}/{response.model}, {response.usage.total_tokens} tokens, {price}, "
        f"{response.latency:.1f} s",
        style="dim",
        markup=False,
    )


@app.command("route")
def route_of(
    prompt: Annotated[str, typer.Argument(help="The question that would be asked.")] = "Hello",
    explain: Annotated[bool, typer.Option("--explain", help="Also who is passed over, and why.")] = False,
    model: Models = None,
    strategy: Strategy = None,
    local: Local = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show who would be asked, in what order and why. Nobody is asked."""
    from aos.llm.request import ModelRequest

    chosen = _route(model, strategy, local=local)

    async def work(router: ModelRouter) -> dict[str, Any]:
        from aos.llm.overview import Overview

        return (await Overview(router).explain(ModelRequest.ask(prompt), chosen)).to_json()

    found = _with_router(config, work, as_json=as_json)
    if as_json:
        print_json(found)
        return
    order = [
        {**each, "place": place, "usd": None if each["usd"] is None else f"{each['usd']:.6f}"}
        for place, each in enumerate(found["order"], start=1)
    ]
    columns = ("place", "provider", "model", "tier", "usd", "why", "obstacle")
    print_rows(order, columns, empty="Nobody can take this call.")
    if explain or not order:
        console.print("\nPassed over:")
        print_rows(list(found["passed_over"]), ("provider", "model", "reason"), empty="Nobody.")


def _with_router(config: Path | None, work: Callable[[ModelRouter], Awaitable[T]], *, as_json: bool) -> T:
    async def opened() -> T:
        from aos.llm.building import build_router, read_configuration

        router = build_router(read_configuration(os.environ, config))
        try:
            return await work(router)
        finally:
            await router.aclose()

    return run(opened, as_json=as_json)


def _route(models: list[str] | None, strategy: str | None, *, local: bool, seconds: float | None = None) -> Route:
    from pydantic import ValidationError

    from aos.llm.route import Route

    given = {"models": models or None, "strategy": strategy, "local_only": local or None, "seconds": seconds}
    try:
        return Route.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise typer.BadParameter(error.errors(include_url=False)[0]["msg"]) from error


async def _spoken(router: ModelRouter, request: Any, route: Route, *, quiet: bool) -> ModelResponse:
    from aos.llm.response import StreamEnd, TextDelta

    if quiet:
        return await router.complete(request, route)
    answer: ModelResponse | None = None
    async for delta in router.stream(request, route):
        if isinstance(delta, TextDelta):
            console.print(delta.text, end="", markup=False, soft_wrap=True)
        elif isinstance(delta, StreamEnd):
            answer = delta.response
    console.print()
    if answer is None:
        raise RuntimeError("the router ended a stream without its last delta")
    return answer


def _progress(*, quiet: bool) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=errors, transient=True, disable=quiet)


def _row(provider: dict[str, Any]) -> dict[str, Any]:
    price = provider["price"]
    note = provider["notice"] or (f"set {' and '.join(provider['missing'])}" if provider["missing"] else None)
    return {
        **provider,
        "usd_per_million": "unknown" if price is None else f"{price['input']:g} in, {price['output']:g} out",
        "note": note,
    }
