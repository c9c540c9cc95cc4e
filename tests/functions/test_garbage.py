"""A worker collects garbage less often than Python does by itself."""

from __future__ import annotations

import gc

from aos.functions.garbage import collect_less_often


def test_collections_are_rarer_and_leave_out_what_was_made_at_the_start() -> None:
    before = gc.get_threshold()
    try:
        collect_less_often()
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert gc.get_threshold() == before
