"""Tells what a file is by its name: language, and whether people wrote it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["code", "prose", "data", "other"]

_CODE = {
    "Python": "py pyi pyw",
    "JavaScript": "js mjs cjs jsx",
    "TypeScript": "ts mts cts tsx",
    "Java": "java",
    "Kotlin": "kt kts",
    "Scala": "scala",
    "C": "c h",
    "C++": "cc cpp cxx hh hpp hxx",
    "C#": "cs",
    "F#": "fs fsx",
    "Go": "go",
    "Rust": "rs",
    "Ruby": "rb",
    "PHP": "php",
    "Swift": "swift",
    "Objective-C": "m mm",
    "Lua": "lua",
    "Perl": "pl pm",
    "R": "r",
    "Dart": "dart",
    "Elixir": "ex exs",
    "Erlang": "erl hrl",
    "Haskell": "hs",
    "Zig": "zig",
    "Solidity": "sol",
    "Vue": "vue",
    "Svelte": "svelte",
    "Shell": "sh bash zsh",
    "PowerShell": "ps1 psm1",
    "SQL": "sql",
    "Bicep": "bicep",
    "Terraform": "tf",
    "HTML": "html htm",
    "CSS": "css scss less",
}
_PROSE = {"Markdown": "md markdown", "reStructuredText": "rst", "Text": "txt", "AsciiDoc": "adoc"}
_DATA = {
    "JSON": "json jsonl",
    "YAML": "yaml yml",
    "TOML": "toml",
    "XML": "xml",
    "INI": "ini cfg conf properties env",
    "CSV": "csv tsv",
    "SVG": "svg",
    "Jupyter": "ipynb",
}
_NAMED: dict[str, tuple[str, Kind]] = {
    "dockerfile": ("Dockerfile", "code"),
    "makefile": ("Makefile", "code"),
    "jenkinsfile": ("Groovy", "code"),
    "license": ("Text", "prose"),
    "licence": ("Text", "prose"),
    "copying": ("Text", "prose"),
    "readme": ("Text", "prose"),
    ".env": ("INI", "data"),
}
_KINDS: tuple[tuple[Kind, dict[str, str]], ...] = (("code", _CODE), ("prose", _PROSE), ("data", _DATA))
_BY_EXTENSION: dict[str, tuple[str, Kind]] = {
    extension: (language, kind)
    for kind, table in _KINDS
    for language, extensions in table.items()
    for extension in extensions.split()
}

# fmt: off
_LOCK_FILES = frozenset(
    (
        "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "uv.lock",
        "poetry.lock", "pdm.lock", "pipfile.lock", "cargo.lock", "composer.lock", "gemfile.lock",
        "go.sum", "packages.lock.json",
    )
)
# fmt: on
_GENERATED_ENDINGS = (".min.js", ".min.css", ".map", "_pb2.py", "_pb2_grpc.py", ".pb.go", ".g.dart", ".designer.cs")
_TEST_FOLDERS = frozenset(("test", "tests", "testing", "spec", "specs", "__tests__", "fixtures", "testdata"))
_TEST_ENDINGS = ("_test", ".test", ".spec", "_spec")


def language_of(path: str) -> tuple[str, Kind]:
    """Language and kind of a file, by its name; ("Other", "other") if that says nothing."""
    name = PurePosixPath(path).name.lower()
    if name in _NAMED:
        return _NAMED[name]
    stem, dot, extension = name.rpartition(".")
    if not dot:
        return ("Other", "other")
    return _BY_EXTENSION.get(extension) or _NAMED.get(stem.lstrip("."), ("Other", "other"))


def generated_by_name(path: str) -> bool:
    """Whether a program writes this file: lock files, minified and compiled output."""
    name = PurePosixPath(path).name.lower()
    return name in _LOCK_FILES or name.endswith(_GENERATED_ENDINGS)


def is_test(path: str) -> bool:
    """Whether the file is part of the tests, where looser rules hold."""
    pure = PurePosixPath(path.lower())
    if _TEST_FOLDERS.intersection(pure.parts[:-1]) or pure.name == "conftest.py":
        return True
    return pure.stem.startswith("test_") or pure.stem.endswith(_TEST_ENDINGS)
