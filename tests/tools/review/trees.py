"""Small code bases that the tests examine. Secrets in them are made up."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from aos.tools.review.source_tree import SourceTree

PASSWORD = "hunter2-is-mine"  # pragma: allowlist secret
AWS_KEY = "AKIA" + "QWERTYUIOP123456"
TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
VALUES = (PASSWORD, AWS_KEY, TOKEN)

BRANCHES = "\n".join(f"    if x == {n}:\n        return {n}" for n in range(14))
RISKY = f'''"""A module with everything wrong."""
import os
import pickle

password = "{PASSWORD}"


def evaluate(text):
    return eval(text)


def many_paths(x):
{BRANCHES}
    return -1


class Public:
    def method(self):
        return undefined_name
'''
README = """# Thing

A thing that does what things do, described here in enough words for a newcomer to know what it is about and why
anybody would want to have it on their machine at all.

## Install
`pip install thing`

## Run
`thing run`, see [the guide](docs/guide.md), [the site](https://example.org) and [a part](#run).

## Test
`pytest`
"""
MIT = """MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND.
"""
RISKY_TREE: Mapping[str, str | bytes] = {
    "pkg/risky.py": RISKY,
    "pkg/broken.py": "def broken(:\n    pass\n",
    "settings.yaml": f"aws_access_key_id: {AWS_KEY}\ngithub: {TOKEN}\n",
    "README.md": README,
    "LICENSE": MIT,
}
CLEAN_TREE: Mapping[str, str | bytes] = {
    "README.md": README.replace("(docs/guide.md)", "(src/main.go)"),
    "LICENSE": MIT,
    "src/main.go": "package main\n\nfunc main() {\n\tprintln(1)\n}\n",
    "src/main_test.go": "package main\n",
}


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


async def opened(root: Path, files: Mapping[str, str | bytes]) -> SourceTree:
    return await SourceTree.open(write(root, files))


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)
