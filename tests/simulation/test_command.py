from __future__ import annotations

from pathlib import Path

import pytest

from aos.kernel.steps import StepRows
from aos.testing.simulation import WORKLOADS, Trouble
from aos.testing.simulation.__main__ import main


def test_a_campaign_shows_what_was_injected_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", str(2 * len(WORKLOADS))]) == 0
    shown = capsys.readouterr().out
    assert f"{2 * len(WORKLOADS)} runs (2 approvals, 2 chain" in shown
    assert all(trouble.value in shown for trouble in Trouble)
    assert "journals chain and replay to the heads" in shown
    assert "Every promise was kept." in shown


def test_a_broken_promise_comes_with_the_command_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def trust(rows: StepRows) -> None:
        return None

    monkeypatch.setattr(StepRows, "confirm", trust)
    assert main(["--workload", "steps", "--seeds", "40"]) == 1
    shown = capsys.readouterr().out
    command = next(line for line in shown.splitlines() if "again: python" in line)
    seed = command.split()[-1]
    assert command.split()[1:] == ["python", "-m", "aos.testing.simulation", "--workload", "steps", "--seed", seed]
    assert main(["--workload", "steps", "--seed", seed]) == 1
    again = capsys.readouterr().out
    assert "wakes shop" in again
    assert f"steps, seed {seed}:" in again


def test_make_runs_it() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    assert "python -m aos.testing.simulation --seeds $(SEEDS)" in makefile
