"""Whether the code base says under which licence it may be used, and says the same everywhere."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from typing import Any

from aos.tools.review.analysers.analysis import Analyser, Analysis
from aos.tools.review.finding import WHOLE_TREE, Finding, Severity
from aos.tools.review.source_tree import SourceTree

NAME = "licence"
_FILE = re.compile(r"(?i)(?:licen[cs]e|copying|unlicense)(?:[-_.][\w.-]+)?")
_RECOGNISED: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Phrases that must all be there, the more specific licence first.
    ("AGPL-3.0", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1", ("gnu lesser general public license", "version 2.1")),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license", "version 2")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("EPL-2.0", ("eclipse public license", "2.0")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "endorse or promote")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("MIT", ("permission is hereby granted, free of charge", "the software is provided")),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software",)),
    ("Unlicense", ("free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
)


async def analyse(tree: SourceTree) -> Analysis:
    """Look for a licence file at the top, recognise its text, and compare it with what the project file says."""
    return await asyncio.to_thread(_analysis, tree)


def _analysis(tree: SourceTree) -> Analysis:
    names = sorted(file.path for file in tree.files if "/" not in file.path and _FILE.fullmatch(file.path))
    declared = _declared(tree)
    if not names:
        title = "There is no licence file" + (f", though the project declares {declared[1]}" if declared else "")
        return Analysis([_finding("missing-licence", "medium", WHOLE_TREE, title, "Add a LICENSE file at the top.")])
    recognised = [licence for licence in (_recognise(tree.read(name)) for name in names) if licence]
    findings = []
    if not recognised:
        remedy = "Use the unchanged text of a known licence, so that people and programs recognise it."
        findings.append(_finding("unknown-licence", "info", names[0], "The licence is not a well-known one", remedy))
    elif declared and not any(_covers(declared[1], licence) for licence in recognised):
        title = f"The project declares {declared[1]}, but the licence file is {' and '.join(recognised)}"
        findings.append(_finding("licence-mismatch", "medium", declared[0], title, "Make both say the same."))
    return Analysis(findings, {"licence": " and ".join(recognised) or "unknown"})


def _recognise(text: str) -> str | None:
    flat = " ".join(text.lower().split())
    return next((licence for licence, phrases in _RECOGNISED if all(phrase in flat for phrase in phrases)), None)


def _covers(declared: str, licence: str) -> bool:
    words = re.split(r"[^\w.+-]+", declared.lower())
    return any(word.startswith(licence.lower()) or (word == "bsd" and "BSD" in licence) for word in words)


def _declared(tree: SourceTree) -> tuple[str, str] | None:
    """The first project file that names a licence, and the name."""
    present = {file.path for file in tree.files}
    for path, table in (("pyproject.toml", "project"), ("package.json", ""), ("Cargo.toml", "package")):
        if path in present:
            content = _parsed(path, tree.read(path))
            licence = (content.get(table, {}) if table else content).get("license")
            name = licence.get("text") if isinstance(licence, dict) else licence
            # A table may hold the whole text instead of a name.
            if isinstance(name, str) and name.strip() and len(name) < 80:
                return path, name.strip()
    return None


def _parsed(path: str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}  # a broken project file declares nothing
    return content if isinstance(content, dict) else {}


def _finding(rule: str, severity: Severity, file: str, title: str, remedy: str) -> Finding:
    return Finding(
        tool=NAME, rule=rule, severity=severity, file=file, title=title, remedy=remedy, domain="documentation"
    )


ANALYSER = Analyser(NAME, "documentation", analyse)
