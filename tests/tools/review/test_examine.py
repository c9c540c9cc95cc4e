from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from aos.kernel.errors import InvalidInput
from aos.tools.review.analysers.analysis import Analyser, Analysis
from aos.tools.review.archive import pack, unpack
from aos.tools.review.errors import ToolFailed
from aos.tools.review.examine import Examination, ToolRun, examine
from aos.tools.review.finding import DOMAINS, compare
from aos.tools.review.source_tree import SourceTree
from tests.tools.review.trees import CLEAN_TREE, RISKY_TREE, VALUES, opened, write


async def test_each_domain_runs_its_own_tools(tmp_path: Path) -> None:
    tree = await opened(tmp_path, RISKY_TREE)

    examinations = {domain: await examine(domain, tree) for domain in DOMAINS}

    tools = {domain: [run.name for run in done.tools] for domain, done in examinations.items()}
    assert tools == {
        "code": ["ruff", "radon", "structure"],
        "security": ["bandit", "detect-secrets"],
        "documentation": ["interrogate", "readme", "licence"],
    }
    for done in examinations.values():
        assert {finding.domain for finding in done.findings} == {done.domain}
        assert done.total == sum(run.findings for run in done.tools) == len(done.known)
        assert all(run.version[0].isdigit() for run in done.tools)
    assert examinations["security"].counts["critical"] == 2
    everything = "".join(done.model_dump_json() for done in examinations.values())
    assert not [value for value in VALUES if value in everything]


async def test_the_same_tree_gives_the_same_findings_in_the_same_order(tmp_path: Path) -> None:
    first = await examine("code", await opened(tmp_path / "a", RISKY_TREE))
    second = await examine("code", await opened(tmp_path / "b", RISKY_TREE))

    assert first.findings == second.findings
    assert first.known == second.known
    severities = [finding.severity for finding in first.findings]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low", "info"].index)


async def test_a_second_run_tells_new_from_fixed(tmp_path: Path) -> None:
    root = write(tmp_path / "in", RISKY_TREE)
    before = await examine("code", await SourceTree.open(root))
    broken = root / "pkg/broken.py"
    broken.write_text("\n\nimport re\n")
    risky = root / "pkg/risky.py"
    risky.write_text("# a comment on top\n" + risky.read_text())
    await unpack(await pack(root), tmp_path / "again")
    after = await examine("code", await SourceTree.open(tmp_path / "again"))

    change = compare(before.known, after.known)

    assert [item.label for item in change.new] == ["low pkg/broken.py:3 ruff/F401: `re` imported but unused"]
    assert [item.label.partition(":")[0] for item in change.fixed] == [
        "high pkg/broken.py",
        "info pkg/broken.py radon/not-analysed",
    ]
    assert len(change.still_there) == len(before.known) - 2


async def test_a_tree_without_python_has_the_findings_of_any_language(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {**CLEAN_TREE, "src/copy.go": "// c\n" * 60, "src/copy2.go": "// c\n" * 60})

    code, security, documentation = [await examine(domain, tree) for domain in DOMAINS]

    assert [run.name for run in code.tools] == ["structure"]
    assert [finding.rule for finding in code.findings] == ["duplicate-file"]
    assert [run.name for run in security.tools] == ["detect-secrets"]
    assert security.findings == []
    assert [run.name for run in documentation.tools] == ["readme", "licence"]
    assert documentation.findings == []


async def test_an_empty_tree_lacks_its_documents_only(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {})

    found = {domain: [finding.rule for finding in (await examine(domain, tree)).findings] for domain in DOMAINS}

    assert found == {"code": [], "security": [], "documentation": ["missing-licence", "missing-readme"]}


async def test_many_findings_of_a_rule_are_counted_and_not_listed(tmp_path: Path) -> None:
    imports = "".join(f"import module_{number}\n" for number in range(40))
    tree = await opened(tmp_path, {"a.py": imports, "b.py": "import os\n"})

    examination = await examine("code", tree, most_of_a_rule=3)

    assert [finding.line for finding in examination.findings] == [1, 2, 3]
    assert [str(more) for more in examination.more] == ["and 38 more of ruff/F401"]
    assert examination.counts["low"] == examination.total == len(examination.known) == 41


async def test_progress_is_told_as_each_tool_ends(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    async def progress(run: ToolRun, done: int, all_of: int) -> None:
        told.append((run.name, done, all_of))

    await examine("documentation", await opened(tmp_path, CLEAN_TREE), progress)

    assert sorted(name for name, _, _ in told) == ["licence", "readme"]
    assert [(done, all_of) for _, done, all_of in told] == [(1, 2), (2, 2)]


async def test_a_tool_that_fails_fails_the_examination_and_ends_the_others(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def fails(_tree: SourceTree) -> Analysis:
        raise ToolFailed("it broke")

    async def waits(_tree: SourceTree) -> Analysis:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return Analysis()

    tools = (Analyser("waits", "code", waits), Analyser("fails", "code", fails))

    with pytest.raises(ToolFailed, match="it broke"):
        await examine("code", await opened(tmp_path, {}), analysers=tools)
    assert ended.is_set()


async def test_an_unknown_domain_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There are: code, security, documentation"):
        await examine(cast("Any", "style"), await opened(tmp_path, {}))


async def test_an_examination_survives_json(tmp_path: Path) -> None:
    examination = await examine("documentation", await opened(tmp_path, RISKY_TREE))

    assert Examination.model_validate_json(examination.model_dump_json()) == examination
