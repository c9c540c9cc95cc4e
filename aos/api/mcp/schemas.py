"""JSON Schema of what a message's data must look like, as MCP wants the arguments of a tool: an object."""

from __future__ import annotations

from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema

from aos.agents.handlers import Handler

DATA = "data"
"""The one argument of a tool whose message carries something other than an object."""


class Arguments:
    """The arguments of one message type's tool.

    Attributes:
        schema: Their JSON Schema.
        wrapped: Whether the message's data is the argument `data`; otherwise the arguments are the data.
    """

    def __init__(self, handler: Handler) -> None:
        schema = _schema(handler)
        self.wrapped = not _describes_object(schema)
        if self.wrapped:
            definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
            schema = {"type": "object", "properties": {DATA: schema}, "required": [DATA], **definitions}
        self.schema = {**schema, "type": "object"}

    def data(self, arguments: dict[str, Any]) -> Any:
        """The message's data."""
        return arguments.get(DATA) if self.wrapped else arguments


def _schema(handler: Handler) -> dict[str, Any]:
    try:
        return handler.data.json_schema()
    except PydanticInvalidForJsonSchema:
        return {}  # JSON Schema has no words for it; the handler's own validation decides


def _describes_object(schema: dict[str, Any]) -> bool:
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return (schema.get("$defs", {}).get(name, schema) if name else schema).get("type") == "object"
