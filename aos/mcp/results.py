"""Results of tools and contents of resources as plain JSON of bounded size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mcp_types as types


def tool_result(result: types.CallToolResult, limit: int) -> Any:
    """What a tool brought: its structured content; where it has none, or too much of it, the content as a list.

    A result that is one text is that text. What is over `limit` bytes is cut off, or left out, and says so.
    """
    if result.structured_content is not None and _size(result.structured_content) <= limit:
        return result.structured_content
    blocks = content([block.model_dump(mode="json") for block in result.content], limit)
    if not blocks and result.structured_content is not None:
        return cut(json.dumps(result.structured_content, ensure_ascii=False), limit)
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def content(blocks: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Blocks of content whose sizes together stay within the limit."""
    shown: list[dict[str, Any]] = []
    left = limit
    for block in blocks:
        kept = {
            name: value for name, value in block.items() if value is not None and name not in ("annotations", "meta")
        }
        size = _size(kept)
        if size > left and isinstance(kept.get("text"), str):
            kept["text"] = cut(kept["text"], max(left, 0))
        elif size > left:
            kept = {"type": kept.get("type", "content"), "left_out": f"{size:,} bytes, over the limit"}
        left -= min(size, left)
        shown.append(kept)
    return shown


def said(result: types.CallToolResult) -> str:
    """The texts of a result."""
    return " ".join(text for block in result.content if (text := getattr(block, "text", "")))


def cut(text: str, limit: int) -> str:
    """The text, at most so many bytes of it."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return f"{encoded[:limit].decode(errors='ignore')} [cut off: {len(encoded):,} bytes in all]"


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
