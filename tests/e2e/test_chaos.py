"""A short piece of `make chaos`: two hosts compete for the sessions while one thing after another breaks."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.chaos import report, run

EVENTS = 3


async def test_whatever_breaks_every_transfer_takes_effect_once_and_in_order(tmp_path: Path) -> None:
    chaos, load, ledger = await run(EVENTS, seed=3, home=tmp_path)
    assert ledger.clean, ledger
    assert chaos.faults.total() == EVENTS
    assert ledger.transfers == len(load.transfers) > 100
    assert "lost 0, doubled 0, out of order 0" in report(chaos, load, ledger, 3)


def test_the_ledger_is_not_clean_when_anything_is_wrong() -> None:
    from tests.e2e.transfers import Ledger

    assert Ledger(transfers=1, refused=0).clean
    for wrong in ({"lost": [1]}, {"doubled": [1]}, {"disordered": ["a"]}, {"created": -1}, {"broken": ["a"]}):
        assert not Ledger(transfers=1, refused=0, **wrong).clean
