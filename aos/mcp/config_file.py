"""Reads files that name MCP servers: `mcp.json` as other programs have it, and registries with `server_id`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aos.kernel.errors import SettingInvalid
from aos.mcp.server_config import ServerConfig

_TYPES = {"streamable-http": "http", "streamable_http": "http", "streamableHttp": "http"}
_GONE = {"sse", "websocket"}
_IDLE = {"resources", "inputs"}
"""Fields of other programs that say nothing here: what a server has is asked of the server."""


def read_servers(path: Path) -> tuple[ServerConfig, ...]:
    """The servers a file names.

    Args:
        path: JSON: `{"servers": {name: {...}}}` (or `mcpServers`), or a registry, `{"servers": [{"server_id": ...}]}`.

    Raises:
        SettingInvalid: the file is not right; the message names each server, field and remedy.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingInvalid(f"{path} cannot be read: {error.strerror}. Correct the setting 'mcp.file'.") from error
    except ValueError as error:
        raise SettingInvalid(f"{path} is not JSON: {error}. Correct it.") from error
    return parse_servers(content, source=str(path))


def parse_servers(content: Any, *, source: str) -> tuple[ServerConfig, ...]:
    """As `read_servers`, for what was read already."""
    found: dict[str, ServerConfig] = {}
    problems: list[str] = []
    for name, values in _entries(content, source):
        try:
            config = ServerConfig.model_validate(_translated(name, values))
        except ValidationError as error:
            problems += [f"server {name!r}, {_problem(each)}" for each in error.errors()]
        except ValueError as error:
            problems.append(f"server {name!r}, {error}")
        else:
            if config.name in found:
                problems.append(f"server {name!r}: there is another of this name. Give one of them another.")
            found[config.name] = config
    if problems:
        raise SettingInvalid(f"{source} is not right: {' '.join(_ended(problem) for problem in problems)}")
    return tuple(found.values())


def _entries(content: Any, source: str) -> list[tuple[str, Any]]:
    given = content
    if isinstance(content, Mapping):
        given = next((content[key] for key in ("servers", "mcpServers", "mcp_servers") if key in content), None)
    if isinstance(given, Mapping):
        return [(str(name), values) for name, values in given.items()]
    if isinstance(given, list):
        return [(_name(row, place), row) for place, row in enumerate(given)]
    raise SettingInvalid(
        f'{source} names no servers. Its form is {{"servers": {{"name": {{"type": "http", "url": …}}}}}}.'
    )


def _name(row: Any, place: int) -> str:
    if isinstance(row, Mapping):
        return str(row.get("server_id") or row.get("name") or row.get("server_name") or place)
    return str(place)


def _translated(name: str, values: Any) -> dict[str, Any]:
    """An entry in our own words. Raises `ValueError` for what has no counterpart."""
    if not isinstance(values, Mapping):
        raise ValueError('field `servers`: it must be an object, such as {"type": "http", "url": …}.')  # noqa: TRY004
    fields = {key: value for key, value in values.items() if key not in _IDLE}
    title = fields.pop("server_name", None)
    kind = fields.pop("server_type", fields.pop("type", None))
    if kind is None:
        kind = "http" if "url" in fields else "stdio"
    if kind in _GONE:
        raise ValueError(f"field `type`: {kind!r} was replaced in the protocol. Use `http` with the server's `url`.")
    for key in ("server_id", "name"):
        fields.pop(key, None)
    if title and "description" not in fields:
        fields["description"] = str(title)
    if "disabled" in fields:
        fields["enabled"] = not fields.pop("disabled")
    if isinstance(fields.get("tools"), list):
        fields["tools"] = _rules(fields["tools"])
    given = {key: value for key, value in fields.items() if value is not None}
    return {**given, "name": name, "type": _TYPES.get(kind, kind)}


def _rules(rows: list[Any]) -> dict[str, Any]:
    """Rules from a registry's list of tools, of which only `effect` and `risk` are taken."""
    rules: dict[str, Any] = {}
    for row in rows:
        if not isinstance(row, Mapping) or "name" not in row:
            raise ValueError("field `tools`: each needs a `name`.")
        rule = {key: row[key] for key in ("effect", "risk") if key in row}
        if rule:
            rules[str(row["name"])] = rule
    return rules


def _problem(error: Any) -> str:
    field = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"field `{field}`: there is no such field. Remove it, or put it under `metadata`."
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"field `{field}`: {said}" if field else said


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}. Correct it."
