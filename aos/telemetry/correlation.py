"""The ids that tie what is logged to the piece of work it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Mapping[str, str]] = ContextVar("aos_correlation", default={})  # noqa: B039  # never changed


def current() -> Mapping[str, str]:
    """The ids in force: `trace_id`, `invocation_id`, `function`, `agent`."""
    return _current.get()


@contextmanager
def correlated(**ids: str | None) -> Iterator[None]:
    """Add ids to everything logged inside the block. None leaves an outer id in force."""
    token = _current.set({**_current.get(), **{name: value for name, value in ids.items() if value}})
    try:
        yield
    finally:
        _current.reset(token)
