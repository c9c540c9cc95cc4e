"""What `aos up` sets by itself."""

from __future__ import annotations

from typing import Any

import pytest

from aos.cli import up
from aos.config import AOSConfig


def streaming(environ: dict[str, str]) -> bool:
    return AOSConfig.load(environ=up.local_settings(environ)).api.streaming


def test_answers_are_streamed_where_the_extra_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    assert streaming({})
    monkeypatch.setattr(up, "find_spec", absent)
    assert not streaming({})


@pytest.mark.parametrize("given", [True, False])
def test_what_the_environment_says_wins(given: bool) -> None:
    assert streaming({"AOS_API_STREAMING": str(given).lower()}) is given
