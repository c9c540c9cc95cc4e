"""Packs a folder and stores it where the agents can get at it."""

from __future__ import annotations

from pathlib import Path

from aos.cli.client import Client
from aos.tools.review.archive import CONTENT_TYPE, pack


async def pack_target(client: Client, directory: Path) -> str:
    """Upload the text files of a folder; returns the artifact's id."""
    return await client.upload("source.tar.gz", await pack(directory), CONTENT_TYPE)
