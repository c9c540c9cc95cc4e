from __future__ import annotations

from pathlib import Path

from aos.tools.review.analysers import structure
from tests.tools.review.trees import opened

DEEP_JS = "function deep(a) {\n" + "if (a) {\n" * 7 + "return '}';\n" + "}\n" * 7 + "}\n"
DEEP_PY = "def deep(a):\n" + "".join("    " * n + "if a:\n" for n in range(1, 6)) + "    " * 6 + "return 1\n"
ELIF_PY = "def flat(a):\n    if a == 0:\n        return 0\n" + "".join(
    f"    elif a == {n}:\n        return {n}\n" for n in range(1, 9)
)


async def rules(tmp_path: Path, files: dict[str, str | bytes]) -> list[tuple[str, str, str]]:
    analysis = await structure.analyse(await opened(tmp_path, files))
    return [(item.rule, item.file, item.severity) for item in analysis.findings]


async def test_long_files_and_functions_are_found_in_any_language(tmp_path: Path) -> None:
    long_go = "package a\nfunc long() {\n" + "\tx()\n" * 120 + "}\n"
    found = await rules(
        tmp_path,
        {"a.go": long_go, "b.rb": "puts 1\n" * 1_200, "c.py": "x = 1\n" * 700, "tests/d.py": "x = 1\n" * 2_000},
    )

    assert found == [
        ("long-file", "b.rb", "medium"),
        ("long-file", "c.py", "low"),
        ("long-function", "a.go", "low"),
    ]


async def test_deep_nesting_is_found(tmp_path: Path) -> None:
    found = await rules(tmp_path, {"a.js": DEEP_JS, "b.py": DEEP_PY, "c.py": ELIF_PY})

    assert found == [("deep-nesting", "a.js", "medium"), ("deep-nesting", "b.py", "low")]


async def test_complexity_counts_where_radon_does_not_look(tmp_path: Path) -> None:
    cases = "".join(f"if (a == {n}) return {n};\n" for n in range(12))
    found = await rules(tmp_path, {"A.java": f"class A {{ int f(int a) {{\n{cases}return 0; }} }}\n", "b.py": ELIF_PY})

    assert found == [("complexity", "A.java", "low")]


async def test_copies_of_whole_files_are_found(tmp_path: Path) -> None:
    body = "const x = 1;\n" * 30
    found = await rules(tmp_path, {"a.js": body, "lib/b.js": body, "tiny.js": "1", "tiny2.js": "1"})

    assert found == [("duplicate-file", "lib/b.js", "low")]


async def test_missing_tests_are_told_for_code_of_some_size(tmp_path: Path) -> None:
    assert await rules(tmp_path / "a", {"a.c": "int x;\n" * 150}) == [("no-tests", ".", "medium")]
    assert await rules(tmp_path / "b", {"a.c": "int x;\n" * 150, "tests/b.c": ""}) == []
    assert await rules(tmp_path / "c", {"a.c": "int x;\n"}) == []


async def test_code_that_does_not_parse_stops_nothing(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"a.py": "def broken(:\n", "b.js": "function ((((", "c.go": "func f() {\n}\n"})

    metrics = (await structure.analyse(tree)).metrics

    assert metrics["files"] == 3
    assert metrics["functions"] == 1
    assert metrics["languages"] == {"Go": 2, "JavaScript": 1, "Python": 1}
