"""Names of tools as models know them: APIs of models allow letters, digits, _ and - only, and 64 of them at most."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from aos.tools.declaration import Tool

_LONGEST = 64
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


def model_names(tools: Iterable[Tool]) -> dict[str, Tool]:
    """The tools by a name for models, the same whenever the tools are the same: `files.read` is `files__read`."""
    named: dict[str, Tool] = {}
    for tool in tools:
        plain = _OTHER.sub("_", tool.name.replace(".", "__"))
        if len(plain) > _LONGEST or plain in named:
            mark = hashlib.sha256(tool.name.encode()).hexdigest()[:8]
            plain = f"{plain[: _LONGEST - 9]}_{mark}"
        named[plain] = tool
    return named
