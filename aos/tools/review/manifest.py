"""What a packed code base says about itself: how many files it holds, and what was left out."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from aos.tools.review.listing import OWN_FOLDER

MANIFEST = f"{OWN_FOLDER}/tree.json"
"""Where it lies in an archive. Code bases are packed without that folder, so nothing of theirs is overwritten."""

Reason: TypeAlias = Literal["binary", "large", "name", "unreadable"]


class LeftOut(BaseModel):
    """A file that is there and was not packed: binary, too large, of an impossible name, or unreadable."""

    path: str
    bytes: int
    why: Reason


class Manifest(BaseModel):
    """The first file of an archive."""

    format: Literal["aos.tree/1"] = "aos.tree/1"
    files: int
    left_out: list[LeftOut] = Field(default_factory=list)


def unfit_name(name: str) -> bool:
    """Whether a name cannot travel: not UTF-8, or with characters that break lists, reports and other systems."""
    return not name.isprintable() or "\\" in name
