from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aos.functions.invocation import invocation_scope
from aos.kernel.errors import InfrastructureError
from aos.telemetry.correlation import current


def context(trace_parent: str | None = None) -> Any:
    trace = SimpleNamespace(trace_parent=trace_parent)
    return cast("Any", SimpleNamespace(invocation_id="i1", function_name="mailbox", trace_context=trace))


async def test_the_ids_of_the_invocation_are_in_force_inside_it() -> None:
    parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    async with invocation_scope(context(parent)) as traceparent:
        assert traceparent == parent
        assert current()["invocation_id"] == "i1"
        assert current()["function"] == "mailbox"
        assert current()["trace_id"] == "ab" * 16
    assert "invocation_id" not in current()


async def test_a_cancellation_becomes_an_error_the_worker_can_answer() -> None:
    with pytest.raises(InfrastructureError, match="cancelled") as caught:
        async with invocation_scope(context()):
            raise asyncio.CancelledError
    assert caught.value.code == "cancelled"


async def test_other_errors_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        async with invocation_scope(context()):
            raise ZeroDivisionError
