"""`$NAME` and `%NAME%` in declarations, as Azure Functions' agents have them: replaced by app settings of that name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PLACEHOLDER = re.compile(
    r"\$\$(?P<plain>[A-Za-z_]\w*)|%%(?P<percent>[A-Za-z_]\w*)%%|\$(?P<name>[A-Za-z_]\w*)|%(?P<other>[A-Za-z_]\w*)%",
    re.ASCII,
)
_CODE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


def substituted(value: Any, environ: Mapping[str, str]) -> Any:
    """The value with the placeholders in its strings replaced. One without a setting stays; a doubled sign is one."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: _replacement(found, environ), value)
    if isinstance(value, dict):
        return {name: substituted(item, environ) for name, item in value.items()}
    if isinstance(value, list):
        return [substituted(item, environ) for item in value]
    return value


def substituted_text(text: str, environ: Mapping[str, str]) -> str:
    """Markdown with its placeholders replaced, but for those in fenced code."""
    parts = _CODE.split(text)
    return "".join(part if place % 2 else substituted(part, environ) for place, part in enumerate(parts))


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["plain"]:
        return f"${found['plain']}"
    if found["percent"]:
        return f"%{found['percent']}%"
    return environ.get(found["name"] or found["other"], found[0])
