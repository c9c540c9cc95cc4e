from __future__ import annotations

import pytest

import aos.reliability


def test_everything_exported_is_there() -> None:
    assert dir(aos.reliability) == sorted(aos.reliability.__all__)
    for name in aos.reliability.__all__:
        assert getattr(aos.reliability, name).__name__ == name
    with pytest.raises(AttributeError):
        aos.reliability.nonsense  # noqa: B018
