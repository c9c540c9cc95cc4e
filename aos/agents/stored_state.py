"""What an agent's stored state consists of: the author's model, and members of ours beside it, named `aos.…`."""

from __future__ import annotations

from typing import Any

RESERVED = "aos."
"""Begins the names of our members. No field of a model can have such a name."""


def own_part(state: dict[str, Any]) -> dict[str, Any]:
    """An agent's stored state as its author knows it."""
    return {name: value for name, value in state.items() if not name.startswith(RESERVED)}


def reserved_part(state: dict[str, Any]) -> dict[str, Any]:
    """The members of ours."""
    return {name: value for name, value in state.items() if name.startswith(RESERVED)}
