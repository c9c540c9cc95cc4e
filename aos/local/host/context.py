"""What a function sees of its invocation: ids, trace context, and the outputs it may set."""

from __future__ import annotations

import re
import secrets
import threading
from pathlib import Path
from typing import Any, cast

import azure.functions as func

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Trace(func._abc.TraceContext):  # noqa: SLF001  # the package exports Context, but not what it is made of
    """W3C trace context of an invocation: that of its cause, or a new one."""

    def __init__(self, parent: str | None = None, state: str | None = None) -> None:
        known = parent is not None and _TRACEPARENT.fullmatch(parent) is not None
        self._parent = cast("str", parent) if known else _new_traceparent()
        self._state = (state or "") if known else ""

    @property
    def trace_parent(self) -> str:
        return self._parent

    @property
    def trace_state(self) -> str:
        return self._state

    @property
    def attributes(self) -> dict[str, str]:
        return {}


class NoRetry(func._abc.RetryContext):  # noqa: SLF001  # as above
    """The retry context of a function without a retry policy."""

    @property
    def retry_count(self) -> int:
        return 0

    @property
    def max_retry_count(self) -> int:
        return 0

    @property
    def exception(self) -> Any:
        return None


class InvocationContext(func.Context):
    """The `context` parameter of a function."""

    def __init__(self, invocation_id: str, function_name: str, directory: Path, trace: Trace) -> None:
        self._invocation_id = invocation_id
        self._function_name = function_name
        self._directory = directory
        self._trace = trace
        self._local = threading.local()

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def function_name(self) -> str:
        return self._function_name

    @property
    def function_directory(self) -> str:
        return str(self._directory)

    @property
    def trace_context(self) -> Trace:
        return self._trace

    @property
    def retry_context(self) -> NoRetry:
        return NoRetry()

    @property
    def thread_local_storage(self) -> Any:
        return self._local


class Output(func.Out[Any]):
    """An output parameter: holds the last value set."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


def _new_traceparent() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
