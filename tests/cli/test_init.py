"""Beginning an app of one's own, and which app is run."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aos.cli import app_folder
from aos.cli.app_folder import app_here, shipped_app
from aos.cli.commands import app
from tests.harness import MemorySystem

ROOT = Path(__file__).resolve().parents[2]


def init(folder: Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["init", str(folder)], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == code, result.output
    return result.output


async def test_the_agent_of_a_new_app_greets(tmp_path: Path) -> None:
    init(tmp_path / "shop")
    spec = importlib.util.spec_from_file_location("greeter", tmp_path / "shop/agents/greeter/__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    world = MemorySystem(module.AGENT())
    sent = await world.system.directory.send("greeter", "guest.came", "Ada", reply_to="journal:")
    await world.settle()
    outcome = await world.system.directory.outcome("greeter", sent)
    assert outcome is not None
    assert outcome["answer"] == "Welcome, Ada. You are guest number 1."


def test_a_new_app_is_what_azure_hosts_and_up_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop"
    told = init(folder)
    for name in ("function_app.py", "host.json"):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
        assert str(folder / name) in told
    monkeypatch.chdir(tmp_path)
    assert app_here() == shipped_app() == ROOT
    monkeypatch.chdir(folder)
    assert app_here() == folder


def test_nothing_is_written_where_something_is(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("mine")
    assert "host.json exists already" in init(tmp_path, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["host.json"]
    assert (tmp_path / "host.json").read_text() == "mine"


def test_an_installed_package_has_the_app_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, place in wheel["force-include"].items():
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / source).read_bytes())
    monkeypatch.setattr(app_folder, "_PACKAGE", tmp_path / "aos")
    assert shipped_app() == tmp_path / "aos" / "shipped"
    (shipped_app() / "function_app.py").unlink()
    assert "Install it anew" in init(tmp_path / "new", code=1)
