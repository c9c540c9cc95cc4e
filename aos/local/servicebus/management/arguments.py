"""The values of a management request, checked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aos.local.servicebus.engine import InvalidArgument


class Arguments:
    """The map in a request's body. Every getter raises InvalidArgument for a value of the wrong type."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, dict):
            raise InvalidArgument("A management request needs a map as its body.")
        self._values = values

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise InvalidArgument(f"The request needs {name!r}.")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidArgument(f"{name!r} is not a text.")
        return value

    def optional_binary(self, name: str) -> bytes | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bytes):
            raise InvalidArgument(f"{name!r} is not binary.")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidArgument(f"The request needs a number as {name!r}.")
        return int(value)

    def numbers(self, name: str) -> list[int]:
        values = self._items(name)
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise InvalidArgument(f"{name!r} holds more than numbers.")
        return [int(value) for value in values]

    def lock_tokens(self) -> list[bytes]:
        """The lock tokens as the engine knows them: a uuid's little-endian bytes."""
        values = self._items("lock-tokens")
        if not all(isinstance(value, UUID) for value in values):
            raise InvalidArgument("A lock token is a uuid.")
        return [value.bytes_le for value in values]

    def maps(self, name: str) -> list[Arguments]:
        return [Arguments(value) for value in self._items(name)]

    def map(self, name: str) -> Arguments:
        return Arguments(self._values.get(name))

    def raw(self, name: str) -> dict[Any, Any]:
        """A map taken as it is; empty if it is not there."""
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise InvalidArgument(f"{name!r} is not a map.")
        return value

    def _items(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise InvalidArgument(f"The request needs a list as {name!r}.")
        return value
