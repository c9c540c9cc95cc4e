"""Lists the files of a code base: what git would keep, or everything but what tools put there."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from aos.kernel.errors import InvalidInput, NotFound
from aos.tools.review.process import clean_environment

OWN_FOLDER = ".aos"
_NEVER = frozenset((".git", OWN_FOLDER))
# fmt: off
_SKIPPED = _NEVER | frozenset(
    (
        ".hg", ".svn", ".jj", ".venv", "venv", "env", "node_modules", "build", "dist", "target",
        "__pycache__", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
        ".gradle", ".idea", ".vs", ".next", ".terraform", ".eggs", "htmlcov",
    )
)
# fmt: on
_GIT_PATIENCE = 60.0


async def list_files(directory: Path) -> list[str]:
    """Relative POSIX paths of the regular files, sorted. Links are not followed and not listed.

    Inside a git work tree, these are the tracked files and the untracked ones that `.gitignore` does not exclude. Else,
    and where git ignores the directory as a whole, all files but those in folders of tools: version control, virtual
    environments, `node_modules`, build output, caches.

    Raises:
        NotFound: there is no such directory.
        InvalidInput: it is not a directory.
    """
    kind = await asyncio.to_thread(_kind, directory)
    if kind is None:
        raise NotFound(f"There is no directory {directory}. Give the path of the code base to review.")
    if not stat.S_ISDIR(kind):
        raise InvalidInput(f"{directory} is not a directory. Give the path of the folder that holds the code base.")
    names = await _git_files(directory)
    if names:
        return await asyncio.to_thread(_regular, directory, names)
    return await asyncio.to_thread(lambda: sorted(_walk(directory)))


def _kind(directory: Path) -> int | None:
    try:
        return directory.stat().st_mode
    except FileNotFoundError:
        return None


async def _git_files(directory: Path) -> list[str]:
    """What git lists; nothing if there is no git, or no work tree."""
    # The settings of a repository that is being reviewed must not start programs.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(directory)]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            *("ls-files", "-z", "--cached", "--others", "--exclude-standard"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=clean_environment({"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}, keep=("HOME",)),
        )
    except FileNotFoundError:
        return []
    try:
        async with asyncio.timeout(_GIT_PATIENCE):
            output, _ = await process.communicate()
    except TimeoutError:
        return []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [os.fsdecode(name) for name in output.split(b"\0") if name] if process.returncode == 0 else []


def _regular(directory: Path, names: Iterable[str]) -> list[str]:
    root = directory.resolve()
    inside: dict[Path, bool] = {}
    kept = []
    for name in sorted(set(names)):
        path = root / name
        if not _NEVER.intersection(name.split("/")) and _is_regular(path):
            parent = path.parent
            if parent not in inside:
                # A tracked folder may have been replaced by a link that leads out of the tree.
                inside[parent] = parent.resolve() == parent
            if inside[parent]:
                kept.append(name)
    return kept


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False  # tracked, but deleted from the work tree


def _walk(directory: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(directory, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not _is_environment(folder, name))
        base = Path(folder).relative_to(directory).as_posix()
        for name in names:
            if _is_regular(Path(folder, name)):
                yield name if base == "." else f"{base}/{name}"


def _is_environment(folder: str, name: str) -> bool:
    return Path(folder, name, "pyvenv.cfg").is_file()
