from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from aos.tools.review.inspectors import __main__ as command
from aos.tools.review.inspectors import complexity, docstrings, functions, secrets
from tests.tools.review.trees import AWS_KEY, write

CODE = f"""def shown(a):
    match a:
        case 1:
            try:
                for b in a:
                    print(b)
            except ValueError:
                pass
    key = "{AWS_KEY}"
    return key
"""
FILES: dict[str, str | bytes] = {
    "a.py": CODE,
    "b.ts": "function f(a) {\n  if (a) {\n    g({});\n  }\n}\n",
    "c.rb": "def f\n  1\nend\n",
    "d.unknown": "",
    "e.txt": f"é {AWS_KEY}".encode("latin-1"),
    "f.py": "def broken(:\n",
}


def test_complexity_by_function(tmp_path: Path) -> None:
    answer = complexity.inspect(str(write(tmp_path, FILES)), ["a.py", "f.py", "gone.py"])

    [file] = answer["found"]
    assert file["functions"] == [{"name": "shown", "line": 1, "complexity": 4}]
    assert 0 < file["maintainability"] <= 100
    assert set(answer["failed"]) == {"f.py", "gone.py"}
    assert answer["failed"]["f.py"].startswith("SyntaxError")


def test_docstrings_by_definition(tmp_path: Path) -> None:
    answer = docstrings.inspect(str(write(tmp_path, FILES)), ["a.py"])

    assert [(item["type"], item["covered"]) for item in answer["found"]] == [("Module", False), ("FunctionDef", False)]


def test_functions_in_any_language(tmp_path: Path) -> None:
    answer = functions.inspect(str(write(tmp_path, FILES)), ["a.py", "b.ts", "c.rb", "d.unknown"])

    seen = [(item["file"], item["name"], item["line"], item["end"], item["depth"]) for item in answer["found"]]
    assert seen == [("a.py", "shown", 1, 10, 3), ("b.ts", "f", 1, 5, 2), ("c.rb", "f", 1, 3, None)]
    assert answer["failed"] == {}


def test_secrets_without_their_values(tmp_path: Path) -> None:
    answer = secrets.inspect(str(write(tmp_path, FILES)), ["a.py", "e.txt"])

    assert [(item["file"], item["type"], item["line"]) for item in answer["found"]] == [
        ("a.py", "AWS Access Key", 9),
        ("e.txt", "AWS Access Key", 1),
    ]
    assert AWS_KEY not in json.dumps(answer)


def test_the_command_answers_on_stdout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def noisy(root: str, files: list[str]) -> dict[str, Any]:
        print("a library says hello")  # noqa: T201
        return {"root": root, "files": files}

    monkeypatch.setattr(complexity, "inspect", noisy)
    monkeypatch.setattr("sys.argv", ["inspectors", "complexity"])
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"root": "/r", "files": ["a"]})))

    assert command.main() == 0
    assert json.loads(capsys.readouterr().out) == {"root": "/r", "files": ["a"]}


def test_the_command_knows_its_inspectors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["inspectors", "subprocess"])

    assert command.main() == 2
    assert "complexity, docstrings, functions, secrets" in capsys.readouterr().err
