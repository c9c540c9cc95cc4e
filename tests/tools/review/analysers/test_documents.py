from __future__ import annotations

from pathlib import Path

import pytest

from aos.tools.review.analysers import licence, readme
from tests.tools.review.trees import MIT, README, opened


async def readme_rules(tmp_path: Path, files: dict[str, str | bytes]) -> list[tuple[str, str, int | None]]:
    analysis = await readme.analyse(await opened(tmp_path, files))
    return [(item.rule, item.file, item.line) for item in analysis.findings]


async def licence_rules(tmp_path: Path, files: dict[str, str | bytes]) -> list[tuple[str, str]]:
    analysis = await licence.analyse(await opened(tmp_path, files))
    return [(item.rule, item.file) for item in analysis.findings]


async def test_a_good_readme_has_only_its_broken_link_found(tmp_path: Path) -> None:
    assert await readme_rules(tmp_path, {"README.md": README}) == [("broken-link", "README.md", 10)]
    assert await readme_rules(tmp_path / "b", {"README.md": README, "docs/guide.md": "# Guide\n"}) == []


async def test_a_missing_or_empty_readme_is_told(tmp_path: Path) -> None:
    assert await readme_rules(tmp_path / "a", {"docs/README.md": README}) == [
        ("missing-readme", ".", None),
        ("broken-link", "docs/README.md", 10),
    ]
    assert await readme_rules(tmp_path / "b", {"README.rst": ""}) == [("short-readme", "README.rst", None)]


async def test_a_readme_that_leaves_newcomers_alone_is_told(tmp_path: Path) -> None:
    found = await readme_rules(tmp_path, {"README.md": "This is a work of beauty, and words cannot say more. " * 6})

    assert [rule for rule, _, _ in found] == [
        "readme-without-install",
        "readme-without-run",
        "readme-without-test",
    ]


async def test_links_between_documents_are_followed(tmp_path: Path) -> None:
    text = """# Guide
[ok](../README.md) [ok](other.md#part) [ok](/docs/other.md) [ok](../docs/) ![ok](pic%20ture.png)
[elsewhere](https://x.org) [mail](mailto:a@b.c) [anchor](#here) [out](../../x)
`[code](nowhere.md)`
```
[fenced](nowhere.md)
```
[gone](gone.md "Title") and ![gone](img/no.png)
[ref]: missing.md
"""
    found = await readme_rules(
        tmp_path, {"README.md": README, "docs/guide.md": text, "docs/other.md": "x", "docs/pic ture.png": b"\0"}
    )

    assert found == [
        ("broken-link", "docs/guide.md", 8),
        ("broken-link", "docs/guide.md", 8),
        ("broken-link", "docs/guide.md", 9),
    ]


async def test_a_licence_is_looked_for_and_recognised(tmp_path: Path) -> None:
    assert await licence_rules(tmp_path / "a", {"src/LICENSE": MIT}) == [("missing-licence", ".")]
    assert await licence_rules(tmp_path / "b", {"LICENSE": MIT}) == []
    assert await licence_rules(tmp_path / "c", {"COPYING.txt": "Do what you like."}) == [
        ("unknown-licence", "COPYING.txt")
    ]


@pytest.mark.parametrize(
    ("project", "content", "agrees"),
    [
        ("pyproject.toml", '[project]\nlicense = "MIT"\n', True),
        ("pyproject.toml", '[project]\nlicense = {text = "GPL-3.0-only"}\n', False),
        ("package.json", '{"license": "(MIT OR Apache-2.0)"}', True),
        ("package.json", '{"license": "ISC"}', False),
        ("Cargo.toml", '[package]\nlicense = "Apache-2.0"\n', False),
        ("pyproject.toml", "not [toml", True),
    ],
)
async def test_the_declared_licence_must_be_that_of_the_file(
    tmp_path: Path, project: str, content: str, agrees: bool
) -> None:
    found = await licence_rules(tmp_path, {"LICENSE": MIT, project: content})

    assert found == ([] if agrees else [("licence-mismatch", project)])
