"""One scope around every invocation: trace context, ids in the logs, and errors in a form the worker can answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aos.kernel.errors import InfrastructureError
from aos.telemetry.correlation import correlated

if TYPE_CHECKING:
    import azure.functions as func

log = logging.getLogger("aos.functions")


@asynccontextmanager
async def invocation_scope(context: func.Context) -> AsyncIterator[str | None]:
    """Run one invocation.

    Yields:
        The W3C `traceparent` the host started it with, None where it gave none.

    Raises:
        InfrastructureError: in place of a cancellation, which the Python worker would leave unanswered.
    """
    trace = getattr(context, "trace_context", None)
    traceparent = getattr(trace, "trace_parent", None) or None
    trace_id = traceparent.split("-")[1] if traceparent and traceparent.count("-") == 3 else None
    with correlated(invocation_id=context.invocation_id, function=context.function_name, trace_id=trace_id):
        try:
            yield traceparent
        except asyncio.CancelledError as error:
            log.warning("invocation cancelled; its messages will be delivered again")
            raise InfrastructureError("The invocation was cancelled.", code="cancelled") from error
        except Exception:
            log.exception("invocation failed")
            raise
