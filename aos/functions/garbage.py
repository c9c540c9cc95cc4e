"""How often a worker looks for circles of objects that nobody refers to."""

from __future__ import annotations

import gc

_YOUNG = 20_000


def collect_less_often() -> None:
    """Leave what was made at the start out of collections, and collect after 20,000 new objects instead of 700.

    A turn makes thousands of objects and no circles: they go by their reference counts, and looking for circles among
    them was a twentieth of the time of a turn.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, 50, 100)
