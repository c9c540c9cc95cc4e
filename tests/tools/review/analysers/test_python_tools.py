from __future__ import annotations

from pathlib import Path

from aos.tools.review.analysers import bandit, docstrings, radon, ruff
from aos.tools.review.analysers.analysis import Analysis
from aos.tools.review.finding import Finding
from tests.tools.review.trees import PASSWORD, RISKY, opened


def one(analysis: Analysis, rule: str) -> Finding:
    [finding] = [finding for finding in analysis.findings if finding.rule == rule]
    return finding


async def test_ruff_finds_bugs_dead_code_and_syntax_errors(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"pkg/a.py": RISKY, "pkg/b.py": "def broken(:\n    pass\n"})

    analysis = await ruff.analyse(tree)

    undefined, broken = one(analysis, "F821"), one(analysis, "invalid-syntax")
    assert (undefined.file, undefined.severity, undefined.evidence) == ("pkg/a.py", "high", "return undefined_name")
    assert (broken.file, broken.line, broken.severity) == ("pkg/b.py", 1, "high")
    assert broken.title.startswith("Syntax error: ")
    unused = [finding for finding in analysis.findings if finding.rule == "F401"]
    assert [finding.evidence for finding in unused] == ["import os", "import pickle"]
    assert unused[0].remedy.startswith("Remove unused import: `os`. See https://")
    assert analysis.metrics == {"python_files": 2, "broken_files": 1, "silenced": 0}


async def test_ruff_takes_no_settings_from_the_tree_but_honours_comments(tmp_path: Path) -> None:
    settings = '[tool.ruff]\nexclude = ["*"]\n[tool.ruff.lint]\nignore = ["F"]\n'
    tree = await opened(
        tmp_path,
        {"pyproject.toml": settings, "ruff.toml": "exclude=['*']", "a.py": "import os\nimport re  # noqa: F401\n"},
    )

    analysis = await ruff.analyse(tree)

    assert [finding.line for finding in analysis.findings] == [1]
    assert analysis.metrics["silenced"] == 1


async def test_syntax_newer_than_this_python_is_no_error(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"a.py": "type Pair[T] = tuple[T, T]\n"})

    assert (await ruff.analyse(tree)).findings == []


async def test_bandit_finds_weaknesses_and_hides_passwords(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"a.py": RISKY})

    analysis = await bandit.analyse(tree)

    evaluated, password = one(analysis, "B307"), one(analysis, "B105")
    assert (evaluated.severity, evaluated.evidence) == ("high", "return eval(text)")
    assert (password.severity, password.evidence) == ("medium", 'password = "***"')
    assert PASSWORD not in str(analysis)


async def test_bandit_takes_no_settings_from_the_tree(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"a.py": "eval(input())\n", ".bandit": "[bandit]\nskips: B307\n"})

    assert one(await bandit.analyse(tree), "B307").line == 1


async def test_no_module_of_the_tree_is_run(tmp_path: Path) -> None:
    spy = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    names = ("bandit", "ruff", "radon", "json", "sitecustomize", "conftest", "setup")
    tree = await opened(tmp_path / "tree", {f"{name}.py": spy for name in names})

    for analyser in (bandit, ruff, radon, docstrings):
        await analyser.analyse(tree)

    assert not (tmp_path / "ran").exists()


async def test_bandit_honours_comments_and_looser_rules_for_tests(tmp_path: Path) -> None:
    code = "assert x\npassword = 'abcdefgh'\neval(x)  # nosec\nexec(x)  # noqa: S102, F821\n"
    tree = await opened(tmp_path, {"tests/test_a.py": code})

    analysis = await bandit.analyse(tree)

    assert analysis.findings == []
    assert analysis.metrics["silenced"] == 2


async def test_what_bandit_cannot_parse_is_told(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"a.py": "def broken(:\n"})

    analysis = await bandit.analyse(tree)

    assert one(analysis, "not-analysed").file == "a.py"
    assert analysis.metrics["not_analysed"] == 1


async def test_radon_finds_what_is_complex(tmp_path: Path) -> None:
    deep = "def f(x):\n" + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(35))
    tree = await opened(tmp_path, {"a.py": RISKY, "b.py": deep, "c.py": "def broken(:\n", "d.py": ""})

    analysis = await radon.analyse(tree)

    found = [(item.file, item.severity, item.title) for item in analysis.findings if item.rule == "complexity"]
    assert found == [
        ("a.py", "low", "many_paths has a cyclomatic complexity of 15"),
        ("b.py", "high", "f has a cyclomatic complexity of 36"),
    ]
    assert analysis.metrics["functions"] == 4
    assert analysis.metrics["complexity_max"] == 36
    assert analysis.metrics["not_analysed"] == 1
    assert one(analysis, "not-analysed").file == "c.py"


async def test_docstring_coverage_counts_what_is_public(tmp_path: Path) -> None:
    code = '''"""Module."""


class A:
    """Class."""

    def __init__(self): ...
    def shown(self): ...
    def _own(self): ...


def documented():
    """Yes."""
    def inner(): ...


async def bare(): ...
'''
    tree = await opened(tmp_path, {"a.py": code, "__init__.py": "", "tests/test_a.py": "def test_a(): ...\n"})

    analysis = await docstrings.analyse(tree)

    assert [finding.title for finding in analysis.findings if finding.line] == [
        "Public function A.shown has no docstring",
        "Public function bare has no docstring",
    ]
    assert analysis.metrics["coverage_percent"] == 60.0
    assert one(analysis, "docstring-coverage").severity == "low"


async def test_hostile_python_stops_nothing(tmp_path: Path) -> None:
    nested = "x = " + "(" * 50_000 + ")" * 50_000 + "\n"
    chained = "x = " + "\\\n+".join(["1"] * 100_000) + "\n"
    good = "def f():\n    return 1\n"
    tree = await opened(tmp_path, {"good.py": good, "nested.py": nested, "chained.py": chained})

    for analyser in (radon, docstrings):
        analysis = await analyser.analyse(tree)
        unread = {finding.file for finding in analysis.findings if finding.rule == "not-analysed"}
        assert "good.py" not in unread
        assert len(unread) == analysis.metrics["not_analysed"]
