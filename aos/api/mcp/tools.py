"""The tools of an agent: one for each message type it handles, and three that read its context."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aos.agents.handlers import Handler
from aos.agents.query import QUERY_TYPE, Query
from aos.api.mcp.schemas import Arguments
from aos.kernel.errors import AosError, InvalidInput
from aos.kernel.outgoing import IN_JOURNAL

if TYPE_CHECKING:
    from aos.agents import Agent, ContextMCPServer
    from aos.system import AgentOperatingSystem

SOURCE = "/api/mcp"
WAIT = "aos/wait"
MESSAGE_ID = "aos/message_id"
TRACE = "traceparent"


class _Key(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str | None = Field(default=None, description="Name of one value; all without it")


class _Newest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=1_000, description="How many of the newest")


_READS: dict[str, tuple[type[BaseModel], str]] = {
    "get_context": (_Key, "What the agent keeps in its context: one value, or all."),
    "get_history": (_Newest, "The newest events in the agent's history, oldest first."),
    "get_memory": (_Newest, "The newest items in the agent's memory, oldest first."),
}


_QUESTION = Handler("message", QUERY_TYPE, QUERY_TYPE, TypeAdapter(Query))
"""What an agent without code understands, which has no method for it."""


class AgentTools:
    """The tools of one agent."""

    def __init__(self, system: AgentOperatingSystem, agent: Agent[Any], address: str) -> None:
        self._system = system
        self._agent = agent
        self._address = address
        self._handlers = {key: handler for key, handler in agent.message_handlers.items() if key != "*"}
        if QUERY_TYPE in agent.message_types:
            self._handlers.setdefault(QUERY_TYPE, _QUESTION)

    def list(self) -> list[types.Tool]:
        """All tools."""
        reads = [
            types.Tool(
                name=name,
                description=description,
                input_schema=arguments.model_json_schema(),
                annotations=types.ToolAnnotations(read_only_hint=True),
            )
            for name, (arguments, description) in _READS.items()
            if name not in self._handlers
        ]
        return [self._message_tool(key) for key in sorted(self._handlers)] + reads

    async def call(
        self, name: str, arguments: dict[str, Any], meta: Mapping[str, Any], traceparent: str | None
    ) -> types.CallToolResult:
        """Call a tool. What the caller can mend is told in a result with `is_error`.

        Raises:
            MCPError: there is no such tool.
        """
        if name not in self._handlers and name not in _READS:
            known = ", ".join(sorted({*self._handlers, *_READS}))
            raise MCPError(types.INVALID_PARAMS, f"Agent {self._address!r} has no tool {name!r}. It has: {known}.")
        try:
            if name in self._handlers:
                data = Arguments(self._handlers[name]).data(arguments)
                answer = await self._send(name, data, meta, traceparent)
            else:
                answer = await self._read(name, arguments)
        except AosError as error:
            return _result({"error": error.to_json()}, said=error.message, failed=True)
        return _result(answer, failed="error" in answer)

    async def post(self, key: str, data: Any, meta: Mapping[str, Any], traceparent: str | None) -> types.CallToolResult:
        """Send the agent a message of one of its types. What the caller can mend is told as in `call`."""
        try:
            answer = await self._send(key, data, meta, traceparent)
        except AosError as error:
            return _result({"error": error.to_json()}, said=error.message, failed=True)
        return _result(answer, failed="error" in answer)

    def _message_tool(self, key: str) -> types.Tool:
        handler = self._handlers[key]
        said = inspect.getdoc(getattr(self._agent, handler.name, None)) or f"Send the agent {key!r}."
        if handler is _QUESTION:
            said = "Ask the agent in words."
        return types.Tool(name=key, description=said, input_schema=Arguments(handler).schema)

    async def _send(self, key: str, data: Any, meta: Mapping[str, Any], traceparent: str | None) -> dict[str, Any]:
        if key in self._handlers:
            self._handlers[key].read(key, data)
        seconds = self._patience(meta)
        message_id = await self._system.directory.send(
            self._address,
            key,
            data,
            source=SOURCE,
            message_id=_text(meta, MESSAGE_ID),
            traceparent=_text(meta, TRACE) or traceparent,
            reply_to=IN_JOURNAL,
        )
        outcome = await self._system.directory.await_outcome(self._address, message_id, seconds=seconds, source=SOURCE)
        return {"agent": self._address, "message_id": message_id, **outcome}

    def _patience(self, meta: Mapping[str, Any]) -> float:
        config = self._system.config.api
        seconds = meta.get(WAIT, config.mcp_wait_seconds)
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds >= 0:
            raise InvalidInput(f"`{WAIT}` in `_meta` must be a number of seconds from 0.")
        return min(float(seconds), config.max_wait_seconds)

    async def _read(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            wanted = _READS[name][0].model_validate(arguments)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise InvalidInput(f"Argument {field!r} of {name!r} is not right: {first['msg']}.") from error
        context = await self._system.directory.context(self._address)
        if isinstance(wanted, _Key):
            return await _values(context, wanted.key)
        limit = wanted.model_dump()["limit"]
        if name == "get_history":
            return {"history": await context.get_event_history(limit)}
        return {"memory": await context.get_memory(limit)}


async def _values(context: ContextMCPServer, key: str | None) -> dict[str, Any]:
    if key is None:
        return {"context": await context.get_all_context()}
    return {"key": key, "value": await context.get_context(key)}


def _text(meta: Mapping[str, Any], name: str) -> str | None:
    value = meta.get(name)
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= 128):
        raise InvalidInput(f"`{name}` in `_meta` must be a text of 1 to 128 characters.")
    return value


def _result(answer: dict[str, Any], *, said: str | None = None, failed: bool = False) -> types.CallToolResult:
    text = said or json.dumps(answer, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=answer, is_error=failed)
