"""Installs Azurite exactly as its committed lock file says, once, beside the stack's other files."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from pathlib import Path

from aos.kernel.errors import StoreUnavailable
from aos.local.azurite.node import Node
from aos.local.child import Child
from aos.local.ports import Report

_PINNED = Path(__file__).parent
_SCRIPT = Path("node_modules", "azurite", "dist", "src", "azurite.js")


async def install_azurite(home: Path, node: Node, report: Report) -> Path:
    """The path of Azurite's script under `home`, installed first if it is not there yet.

    Raises:
        StoreUnavailable: npm failed; the message carries its last words.
    """
    lock = await asyncio.to_thread((_PINNED / "package-lock.json").read_bytes)
    folder = home / f"azurite-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / _SCRIPT).exists():
        report("Installing Azurite, the storage emulator (once, about 190 MB).")
        await _install(folder, node)
    return folder / _SCRIPT


async def _install(folder: Path, node: Node) -> None:
    """Install into a folder of our own and rename it into place, so that nobody ever sees half of it."""
    await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
    partial = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".azurite-", dir=folder.parent))
    try:
        await asyncio.to_thread(_copy_pins, partial)
        await _npm_ci(partial, node)
        await asyncio.to_thread(_move_into_place, partial, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, True)


async def _npm_ci(folder: Path, node: Node) -> None:
    log = folder.parent / "logs" / "npm.log"
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    npm = await Child.spawn("npm", command, log=log, environment=node.environment, directory=folder)
    try:
        code = await npm.wait()
    finally:
        await npm.stop()
    if code != 0:
        raise StoreUnavailable(
            f"Azurite could not be installed: npm ended with {code} (its log: {log}). Check that the npm "
            f"registry can be reached, then start again. Last output: {npm.last_output()[-600:]}"
        )


def _copy_pins(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_PINNED / name, folder / name)


def _move_into_place(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:
        # Another process may have finished the same install first; its result is as good as ours.
        if not (folder / _SCRIPT).exists():
            raise
