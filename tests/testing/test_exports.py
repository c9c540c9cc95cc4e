from __future__ import annotations

import aos.testing


def test_what_is_exported_is_there_and_sorted() -> None:
    public = [name for name in vars(aos.testing) if not name.startswith("_") and name[0].isupper()]
    assert set(public) <= set(aos.testing.__all__)
    assert aos.testing.__all__ == sorted(aos.testing.__all__)
    assert all(hasattr(aos.testing, name) for name in aos.testing.__all__)
