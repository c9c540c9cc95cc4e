"""The files a stack keeps in its folder: keys, settings for other tools, and the mark that it is in use."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aos.kernel.errors import NotAllowedNow, SettingInvalid

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def make_keys(file: Path) -> tuple[str, str]:
    """The function key and the master key in the file, which is made if it is not there."""
    if file.exists():
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            return document["functionKeys"]["default"], document["masterKey"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingInvalid(f"{file} does not hold keys. Delete it: new ones will be made.") from error
    function, master = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    write_private(file, {"masterKey": master, "functionKeys": {"default": function}})
    return function, master


def write_private(file: Path, document: Mapping[str, object]) -> None:
    """Write a JSON file only its owner can read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        json.dump(document, output, indent=2)
    partial.replace(file)


def start_log(file: Path) -> Path:
    """The path of a log that starts empty; the one of the time before is kept beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        file.replace(file.with_suffix(".previous.log"))
    return file


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold a data folder for this process: two stacks over the same data would spoil it.

    Raises:
        NotAllowedNow: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "in-use"
    with mark.open("a+", encoding="utf-8") as file:
        try:
            if sys.platform == "win32":
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotAllowedNow(
                f"Another stack is running on the data in {folder}. Stop it, or start this one in memory or "
                "with another home folder."
            ) from error
        yield
