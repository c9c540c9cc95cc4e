"""JSON with `//` and `/* */` comments and trailing commas, as .NET configuration files may have them."""

from __future__ import annotations

import json
import re
from typing import Any

from aos.local.servicebus.engine.errors import InvalidArgument

_STRING = r'"(?:\\.|[^"\\\n])*"'
_COMMENT = re.compile(rf"(?P<string>{_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"(?P<string>{_STRING})|,(?=\s*[}}\]])")


def parse_commented_json(text: str, source: str) -> Any:
    """The value. `source` names the text in errors: InvalidArgument with line and column."""
    blanked = _COMMENT.sub(_blank, text.removeprefix("\ufeff"))
    try:
        return json.loads(_TRAILING_COMMA.sub(lambda match: match["string"] or " ", blanked))
    except json.JSONDecodeError as error:
        raise InvalidArgument(
            f"{source}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}."
        ) from error


def _blank(match: re.Match[str]) -> str:
    """Spaces for a comment, so that places in errors stay right."""
    return match["string"] or re.sub(r"[^\n]", " ", match.group())
