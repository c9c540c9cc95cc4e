"""HTTP: every route of the API comes through one of these triggers, which differ only in who may call.

The bridge buffers (`AsgiMiddleware`) or streams (the http-fastapi extension), as the setting `api.streaming` says.
"""

import typing

import azure.functions as func

from aos.functions.invocation import invocation_scope
from aos.functions.process import config, system

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
OPEN_ROUTES = {"health": "health", "healthv1": "v1/health", "ready": "v1/ready", "links": "r/{token}"}
"""Functions that need no key, and their routes; a link's token is its own."""

_bridges: dict[int, typing.Any] = {}


def _asgi_app() -> typing.Any:
    from aos.api.app import create_app

    current = system()
    if id(current) not in _bridges:
        _bridges.clear()
        _bridges[id(current)] = create_app(current)
    return _bridges[id(current)]


async def _buffered(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    async with invocation_scope(context):
        return await func.AsgiMiddleware(_asgi_app()).handle_async(req, context)


def _add(blueprint: func.Blueprint, name: str, route: str, level: func.AuthLevel) -> None:
    handler = _streaming_handler() if config().api.streaming else _buffered_handler()
    routed = blueprint.route(route=route, methods=METHODS, auth_level=level)(handler)
    blueprint.function_name(name)(routed)


def _buffered_handler() -> typing.Callable[..., typing.Any]:
    async def http(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return await _buffered(req, context)

    return http


def _streaming_handler() -> typing.Callable[..., typing.Any]:
    from aos.functions.streaming import handler

    return handler(_asgi_app)


def http_triggers() -> func.Blueprint:
    """All HTTP functions."""
    blueprint = func.Blueprint()
    for name, route in OPEN_ROUTES.items():
        _add(blueprint, name, route, func.AuthLevel.ANONYMOUS)
    _add(blueprint, "http", "{*path}", func.AuthLevel.FUNCTION)
    return blueprint
