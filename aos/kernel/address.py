"""Agent addresses: `type` for the one agent of its type, `type:key` for one of many."""

from __future__ import annotations

import re

from aos.kernel.errors import InvalidInput

MAX_LENGTH = 96
"""Leaves room in a 128-character bus message id for `:<version>:<n>`."""

_SHAPE = re.compile(r"[a-z][a-z0-9_-]{0,62}(:[A-Za-z0-9][A-Za-z0-9._@+-]*)?")


def agent_type(address: str) -> str:
    """The type part: `task` of `task:42`."""
    return address.partition(":")[0]


def is_address(text: str) -> bool:
    """Whether it can name an agent."""
    return len(text) <= MAX_LENGTH and _SHAPE.fullmatch(text) is not None


def check_address(address: str) -> str:
    """Return `address` if it can name an agent.

    Raises:
        InvalidInput: it cannot; the message shows the shape.
    """
    if not is_address(address):
        raise InvalidInput(
            f"{address!r} cannot be an agent's address. Use `type` or `type:key`: a lower-case type, then letters, "
            f"digits and . _ @ + - ; at most {MAX_LENGTH} characters."
        )
    return address
