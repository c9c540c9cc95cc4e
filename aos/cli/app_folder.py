"""The folder of a function app: which one `aos up` runs, and what `aos init` puts into a new one."""

from __future__ import annotations

import shutil
from pathlib import Path

import aos
from aos.kernel.errors import AlreadyExists, NotFound

ENTRY = "function_app.py"
_COPIED = (ENTRY, "host.json")
_PACKAGE = Path(aos.__file__).resolve().parent
_NEW = {
    "requirements.txt": "agent-operating-system\n",
    "agents/__init__.py": '"""The agents of this app: one folder each."""\n',
    "agents/greeter/__init__.py": '''"""An agent that greets, and counts how often it did."""

from pydantic import BaseModel

from aos.agents import Agent, Turn, on


class Guests(BaseModel):
    greeted: int = 0


class Greeter(Agent[Guests]):
    type = "greeter"
    purpose = "Make everyone feel welcome"

    @on("guest.came")
    async def came(self, turn: Turn, state: Guests, name: str) -> str:
        state.greeted += 1
        return f"Welcome, {name}. You are guest number {state.greeted}."


AGENT = Greeter
''',
}


def shipped_app() -> Path:
    """The app that comes with AOS: the root of its source, or the copy in an installed package. Raises `NotFound`."""
    for folder in (_PACKAGE.parent, _PACKAGE / "shipped"):
        if (folder / ENTRY).is_file():
            return folder
    raise NotFound(f"The package under {_PACKAGE} lacks {ENTRY}. Install it anew.")


def app_here() -> Path:
    """The app in the working folder, or else the one that comes with AOS."""
    here = Path.cwd()
    return here if (here / ENTRY).is_file() else shipped_app()


def begin_app(folder: Path) -> list[Path]:
    """Begin an app with one agent.

    Returns:
        The files that were written.

    Raises:
        AlreadyExists: one of them is there; nothing is written then.
    """
    source = shipped_app()
    files = [folder / name for name in (*_COPIED, *_NEW)]
    there = [str(file) for file in files if file.exists()]
    if there:
        raise AlreadyExists(f"{', '.join(there)} exists already. Name a new folder.")
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    for name in _COPIED:
        shutil.copyfile(source / name, folder / name)
    for name, content in _NEW.items():
        (folder / name).write_text(content, encoding="utf-8")
    return files
