from __future__ import annotations

from pathlib import Path

import pytest

from aos.tools.review.languages import is_test, language_of
from aos.tools.review.reading import decode, is_binary
from tests.tools.review.trees import opened


async def test_files_have_language_lines_and_bytes(tmp_path: Path) -> None:
    tree = await opened(
        tmp_path,
        {"a.py": "x = 1\ny = 2\n", "b.js": "no_line_end", "c.md": "", "tests/test_a.py": "x\n", "uv.lock": "x"},
    )

    seen = [(file.path, file.language, file.lines, file.bytes, file.test, file.generated) for file in tree.files]
    assert seen == [
        ("a.py", "Python", 2, 12, False, False),
        ("b.js", "JavaScript", 1, 11, False, False),
        ("c.md", "Markdown", 0, 0, False, False),
        ("tests/test_a.py", "Python", 1, 2, True, False),
        ("uv.lock", "Other", 1, 1, False, True),
    ]
    assert tree.languages == {"Python": 3, "JavaScript": 1}
    assert tree.lines == 4


async def test_files_in_any_encoding_are_read(tmp_path: Path) -> None:
    tree = await opened(
        tmp_path,
        {
            "latin.txt": "café".encode("latin-1"),
            "utf16.txt": "café\r\nx".encode("utf-16"),
            "bom.py": b"\xef\xbb\xbfx = 1\n",
            "declared.py": "# -*- coding: cp1252 -*-\nx = '€'\n".encode("cp1252"),
            "lying.py": b"# coding: base64\nx = '\xff'\n",
            "empty.txt": b"",
        },
    )

    assert tree.read("latin.txt") == "café"
    assert tree.read("utf16.txt") == "café\nx"
    assert tree.read("bom.py") == "x = 1\n"
    assert "€" in tree.read("declared.py")
    assert "ÿ" in tree.read("lying.py")
    assert tree.read("empty.txt") == ""
    assert tree.left_out == ()


async def test_one_endless_line_of_code_is_generated(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"bundle.js": "x=1;" * 3_000})

    assert tree.files[0].generated
    assert tree.code == []


async def test_an_empty_tree_has_no_files(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {})

    assert tree.files == ()
    assert tree.lines == 0


@pytest.mark.parametrize(
    ("path", "language"),
    [("x/Dockerfile", "Dockerfile"), ("LICENSE", "Text"), (".env", "INI"), ("a.unknown", "Other"), ("A.PY", "Python")],
)
def test_languages_are_known_by_name(path: str, language: str) -> None:
    assert language_of(path)[0] == language


@pytest.mark.parametrize("path", ["tests/a.py", "a/test_b.py", "b_test.go", "x.spec.ts", "conftest.py"])
def test_tests_are_known_by_name(path: str) -> None:
    assert is_test(path)
    assert not is_test("src/contest.py")


def test_binary_is_what_holds_nul() -> None:
    assert is_binary(b"\x00\x01")
    assert not is_binary(b"")
    assert not is_binary("x".encode("utf-16"))
    assert decode(b"a\rb\r\nc") == "a\nb\nc"
