from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aos.kernel.errors import InvalidInput, NotFound
from aos.tools.review.archive import pack, unpack
from aos.tools.review.errors import ArchiveRefused, TreeTooLarge
from aos.tools.review.limits import Limits
from aos.tools.review.source_tree import SourceTree
from tests.tools.review.trees import git, write

FILES: dict[str, str | bytes] = {
    "a.py": "x = 1\n",
    "docs/b.md": "# B\n",
    "empty.txt": "",
    "latin.txt": "caf\xe9".encode("latin-1"),
}


def bytes_below(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def names_in(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


def archive_of(fill: Callable[[tarfile.TarFile], None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        fill(archive)
    return buffer.getvalue()


def entry(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    def fill(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        info.size = len(content) if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(content))

    return archive_of(fill)


async def test_a_packed_tree_unpacks_to_the_same_files(tmp_path: Path) -> None:
    data = await pack(write(tmp_path / "in", FILES))
    await unpack(data, tmp_path / "out")

    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    tree = await SourceTree.open(tmp_path / "out")
    assert [file.path for file in tree.files] == sorted(FILES)


async def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "one", FILES)
    second = write(tmp_path / "two", dict(reversed(FILES.items())))
    os.utime(second / "a.py", (1, 1))
    (second / "a.py").chmod(0o755)

    assert await pack(first) == await pack(second)


async def test_gitignore_is_respected(tmp_path: Path) -> None:
    write(
        tmp_path, {".gitignore": "*.log\nout/\n", "a.py": "", "b.log": "", "out/c.py": "", "new.py": "", "gone.py": ""}
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "a.py", "gone.py")
    (tmp_path / "gone.py").unlink()

    assert names_in(await pack(tmp_path)) == [".aos/tree.json", ".gitignore", "a.py", "new.py"]


async def test_a_repositorys_own_settings_start_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x", "spy.sh": f"#!/bin/sh\ntouch {tmp_path}/ran\n"})
    (tmp_path / "spy.sh").chmod(0o755)
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "core.fsmonitor", str(tmp_path / "spy.sh"))

    await pack(tmp_path)

    assert not (tmp_path / "ran").exists()


async def test_without_git_the_folders_of_tools_are_skipped(tmp_path: Path) -> None:
    skipped = (".venv/x.py", "node_modules/x.js", "build/x.py", ".aos/x.db", "__pycache__/x.py", "own-env/lib/x.py")
    write(tmp_path, {"a.py": "", "own-env/pyvenv.cfg": "", **dict.fromkeys(skipped, "x")})

    assert names_in(await pack(tmp_path)) == [".aos/tree.json", "a.py"]


async def test_a_machine_without_git_packs_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": "", ".gitignore": "a.py\n"})
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert names_in(await pack(tmp_path)) == [".aos/tree.json", ".gitignore", "a.py"]


async def test_links_are_neither_packed_nor_followed(tmp_path: Path) -> None:
    write(tmp_path / "outside", {"secret.txt": "s"})
    root = write(tmp_path / "in", {"a.py": "", "folder/b.py": ""})
    git(root, "init", "-q")
    git(root, "add", ".")
    (root / "folder/b.py").unlink()
    (root / "folder").rmdir()
    (root / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "b.py").write_text("outside")
    (root / "link.txt").symlink_to(tmp_path / "outside/secret.txt")

    assert names_in(await pack(root)) == [".aos/tree.json", "a.py"]


async def test_binary_large_and_oddly_named_files_are_listed_and_not_packed(tmp_path: Path) -> None:
    root = write(tmp_path / "in", {"a.py": "x", "image.png": b"\x89PNG\0\0", "big.txt": "x" * 200, "new\nline.py": "x"})
    data = await pack(root, Limits(file_bytes=100))
    await unpack(data, tmp_path / "out")

    tree = await SourceTree.open(tmp_path / "out")

    assert [file.path for file in tree.files] == ["a.py"]
    assert [(item.path, item.why) for item in tree.left_out] == [
        ("big.txt", "large"),
        ("image.png", "binary"),
        ("new\\nline.py", "name"),
    ]


async def test_limits_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x" * 60, "b.py": "x" * 60})

    with pytest.raises(TreeTooLarge, match="2 files; the most is 1"):
        await pack(tmp_path, Limits(files=1))
    with pytest.raises(TreeTooLarge, match="MiB of text"):
        await pack(tmp_path, Limits(total_bytes=100))
    with pytest.raises(TreeTooLarge, match="2 files"):
        await SourceTree.open(tmp_path, Limits(files=1))


async def test_a_target_that_is_no_directory_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"file": ""})

    with pytest.raises(NotFound, match="no directory"):
        await pack(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="not a directory"):
        await pack(tmp_path / "file")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "C:/evil", "a\\evil", ".git/hooks/evil", "a\nb", "x" * 300]
)
async def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveRefused):
        await unpack(entry(name), tmp_path / "out")

    assert bytes_below(tmp_path) == 0


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
async def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ArchiveRefused, match="not a regular file"):
        await unpack(entry("link", kind=kind, link="/etc/passwd"), tmp_path / "out")


async def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    limits = Limits(files=2, total_bytes=10_000)
    bomb = entry("zeros", b"\0" * 5_000_000)

    assert len(bomb) < 10_000
    with pytest.raises(TreeTooLarge):
        await unpack(bomb, tmp_path / "out", limits)
    assert bytes_below(tmp_path / "out") < 200_000


async def test_a_bomb_in_the_headers_is_stopped(tmp_path: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "x" * 5_000_000}
        archive.addfile(info)

    with pytest.raises(TreeTooLarge):
        await unpack(archive_of(fill), tmp_path / "out", Limits(files=2, total_bytes=10_000))


async def test_too_many_files_are_refused(tmp_path: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        for number in range(5):
            archive.addfile(tarfile.TarInfo(f"f{number}"), io.BytesIO())

    with pytest.raises(TreeTooLarge, match="more than 3 files"):
        await unpack(archive_of(fill), tmp_path / "out", Limits(files=3))


async def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        for name in ("a", "a"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())

    with pytest.raises(ArchiveRefused, match="twice"):
        await unpack(archive_of(fill), tmp_path / "out")


async def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    data = await pack(write(tmp_path / "in", {f"f{n}.txt": "text\n" * 500 for n in range(20)}))
    unzipped = gzip.decompress(data)

    for number, broken in enumerate((b"", b"not gzip", data[:-40], gzip.compress(b"not tar" * 200))):
        with pytest.raises(ArchiveRefused):
            await unpack(broken, tmp_path / f"out{number}")
    with pytest.raises(ArchiveRefused, match="were packed"):
        await unpack(gzip.compress(unzipped[: 1_024 + 10 * 3_072]), tmp_path / "cut")


async def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"mine.txt": ""})

    with pytest.raises(ArchiveRefused, match="not empty"):
        await unpack(entry("a"), tmp_path)


async def test_an_archive_of_other_making_is_accepted(tmp_path: Path) -> None:
    await unpack(entry("./src/a.py", b"x = 1\n"), tmp_path / "out")

    assert (tmp_path / "out/src/a.py").read_text() == "x = 1\n"
