"""Whether there is a README that gets a newcomer started, and whether links between documents lead anywhere."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from aos.tools.review.analysers.analysis import Analyser, Analysis
from aos.tools.review.finding import WHOLE_TREE, Finding, Severity
from aos.tools.review.source_tree import SourceFile, SourceTree

NAME = "readme"
_README = re.compile(r"(?i)readme(?:\.(?:md|markdown|rst|txt|adoc))?")
_TOPICS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "install",
        re.compile(
            r"(?i)\binstall|\bset ?up\b|getting started|quick ?start|\bpip |\bnpm (?:i|ci)\b|\bmake\b|requirements?\b"
        ),
        "how to install it",
    ),
    (
        "run",
        re.compile(r"(?i)\busage\b|\brun(?:ning|s)?\b|\bstart(?:ing)?\b|quick ?start|\bexamples?\b|how to use"),
        "how to run or use it",
    ),
    ("test", re.compile(r"(?i)\btest(?:s|ing)?\b|\bpytest\b"), "how to test it"),
)
_SHORTEST = 200
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_CODE_SPAN = re.compile(r"(`+)[^`\n]{1,500}\1")
_LINK = re.compile(r"\]\(\s{0,5}<?([^\s)<>]{1,1000})>?(?:\s{1,5}[\"'(][^\n]{0,300}?[\"')])?\s{0,5}\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]\n]{1,200}\]:\s{0,5}<?([^\s<>]{1,1000})>?")
_ELSEWHERE = re.compile(r"(?i)[a-z][a-z0-9+.-]*:|//|#|\{|\$|%7b")


async def analyse(tree: SourceTree) -> Analysis:
    """Check the README at the top, and the relative links of all Markdown documents."""
    return await asyncio.to_thread(_analysis, tree)


def _analysis(tree: SourceTree) -> Analysis:
    documents = [file for file in tree.files if file.language == "Markdown" and not file.test]
    broken = [finding for file in documents for finding in _broken_links(tree, file)]
    metrics = {"documents": len(documents), "broken_links": len(broken)}
    return Analysis([*_about_readme(tree), *broken], {**metrics})


def _about_readme(tree: SourceTree) -> list[Finding]:
    names = sorted(file.path for file in tree.files if "/" not in file.path and _README.fullmatch(file.path))
    if not names:
        remedy = "Add a README: what it is, how to install, run and test it."
        return [_finding("missing-readme", "medium", WHOLE_TREE, "There is no README at the top", remedy)]
    text = tree.read(names[0])
    if len(text.strip()) < _SHORTEST:
        title = "The README says next to nothing" if text.strip() else "The README is empty"
        remedy = "Say what it is, and how to install, run and test it."
        return [_finding("short-readme", "medium", names[0], title, remedy)]
    return [
        _finding(
            f"readme-without-{topic}", "low", names[0], f"The README does not say {what}", f"Add a part on {what}."
        )
        for topic, words, what in _TOPICS
        if not words.search(text)
    ]


def _broken_links(tree: SourceTree, file: SourceFile) -> Iterator[Finding]:
    paths = tree.paths()
    folders = {"."} | {parent for path in paths for parent in _parents(path)}
    for number, line in _prose(tree.read(file.path)):
        for target in [found[1] for pattern in (_LINK, _REFERENCE) for found in pattern.finditer(line)]:
            path = _destination(file.path, target)
            if path is not None and path not in paths and path not in folders:
                yield _finding(
                    "broken-link",
                    "low",
                    file.path,
                    f"The link to {target} leads nowhere",
                    "Correct the path, or take the link out.",
                    number,
                    line,
                )


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines outside of code."""
    fence = ""
    for number, line in enumerate(text.split("\n"), start=1):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence):
            fence = ""
        elif not fence:
            yield number, _CODE_SPAN.sub("", line)


def _destination(document: str, target: str) -> str | None:
    """The path a link means, relative to the tree; None for links that lead out of it or to an anchor."""
    path = unquote(re.split(r"[?#]", target, maxsplit=1)[0])
    if _ELSEWHERE.match(target) or not path:
        return None
    joined = path.lstrip("/") if path.startswith("/") else posixpath.join(posixpath.dirname(document), path)
    normal = posixpath.normpath(joined)
    return None if normal.startswith("..") else normal


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _finding(
    rule: str, severity: Severity, file: str, title: str, remedy: str, line: int | None = None, evidence: str = ""
) -> Finding:
    return Finding(
        tool=NAME,
        rule=rule,
        severity=severity,
        file=file,
        line=line,
        title=title,
        evidence=evidence,
        remedy=remedy,
        domain="documentation",
    )


ANALYSER = Analyser(NAME, "documentation", analyse)
