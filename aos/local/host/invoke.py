"""Runs a function once: on the loop or in a thread, within the function timeout, sending what it puts out."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from azure.functions import meta

from aos.kernel.errors import AosError, SettingInvalid
from aos.local.host.context import InvocationContext, Output, Trace
from aos.local.host.function import BusOutput, Function, HttpTrigger

_logger = logging.getLogger(__name__)
_RETURN = "$return"

Send = Callable[[BusOutput, bytes], Awaitable[None]]


class InvocationFailed(AosError):
    """The function did something the real worker answers with a failure."""

    code = "invocation_failed"


class FunctionTimedOut(AosError):
    """The function ran longer than `functionTimeout` of `host.json` allows."""

    code = "function_timed_out"
    retryable = True


@dataclass(slots=True)
class Tally:
    """How the invocations of a function ended."""

    succeeded: int = 0
    failed: int = 0


class Invoker:
    """Runs the functions of one app.

    Args:
        directory: The app's folder.
        timeout: Seconds an invocation may take; None is no limit.
        send: Delivers what an output binding was given.
        threads: How many functions without `async` run at once; None takes the real worker's number.
    """

    def __init__(self, directory: Path, timeout: float | None, send: Send, threads: int | None = None) -> None:
        self._directory = directory
        self._timeout = timeout
        self._send = send
        workers = threads or min(32, (os.cpu_count() or 1) + 4)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="function")
        self.tallies: dict[str, Tally] = {}

    async def run(self, function: Function, argument: Any, trace: Trace | None = None) -> Any:
        """Call the function with its trigger's argument; what it returned, where that is for its trigger.

        Raises:
            FunctionTimedOut: it was cancelled for its time (a thread cannot be: it runs on, unheeded).
            InvocationFailed: it ended in a way the real worker does not accept.
            Exception: whatever the function raised.
        """
        tally = self.tallies.setdefault(function.name, Tally())
        invocation_id = str(uuid.uuid4())
        started = time.perf_counter()
        facts: dict[str, Any] = {"function": function.name, "invocation": invocation_id}
        try:
            result = await self._invoke(function, argument, invocation_id, trace or Trace())
        except asyncio.CancelledError:
            tally.failed += 1
            _logger.warning("invocation cancelled", extra=facts | {"ms": _since(started)})
            raise
        except BaseException:
            tally.failed += 1
            _logger.exception("invocation failed", extra=facts | {"ms": _since(started)})
            raise
        tally.succeeded += 1
        _logger.debug("invocation succeeded", extra=facts | {"ms": _since(started)})
        return result

    def statistics(self) -> dict[str, dict[str, int]]:
        return {name: asdict(tally) for name, tally in self.tallies.items()}

    def close(self) -> None:
        """Take no more work. Threads that still run are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _invoke(self, function: Function, argument: Any, invocation_id: str, trace: Trace) -> Any:
        outputs = {output.parameter: Output() for output in function.outputs if output.parameter != _RETURN}
        arguments: dict[str, Any] = {function.trigger.parameter: argument, **outputs}
        if function.wants_context:
            arguments["context"] = InvocationContext(invocation_id, function.name, self._directory, trace)
        result = await self._call_in_time(function, arguments)
        for output in function.outputs:
            value = result if output.parameter == _RETURN else outputs[output.parameter].get()
            if value is not None:
                await self._send(output, _encoded(function, output, value))
        returns = isinstance(function.trigger, HttpTrigger) or _RETURN in {
            output.parameter for output in function.outputs
        }
        if result is not None and not returns:
            raise InvocationFailed(
                f"Function {function.name!r} returned a {type(result).__name__}, but has no output for it. "
                "The real worker fails such an invocation: return nothing."
            )
        return result

    async def _call_in_time(self, function: Function, arguments: dict[str, Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout) as limit:
                return await self._call(function, arguments)
        except Exception as error:
            # The function may have turned its cancellation into an error of its own.
            if not limit.expired():
                raise
            raise FunctionTimedOut(
                f"Function {function.name!r} was cancelled after {self._timeout:g} s, the functionTimeout of "
                "host.json. Make it faster, split its work, or raise the limit."
            ) from error

    async def _call(self, function: Function, arguments: dict[str, Any]) -> Any:
        try:
            if function.is_async:
                return await function.call(**arguments)
            work = functools.partial(contextvars.copy_context().run, function.call, **arguments)
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise InvocationFailed(
                f"Function {function.name!r} let a CancelledError out. The real worker never answers such an "
                "invocation: catch it where it arises."
            ) from error
        except SystemExit as error:
            raise InvocationFailed(
                f"Function {function.name!r} raised SystemExit, which ends the real worker."
            ) from error


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _encoded(function: Function, output: BusOutput, value: Any) -> bytes:
    converter = meta.get_binding_registry().get("serviceBus")  # type: ignore[no-untyped-call]
    try:
        datum = converter.encode(value, expected_type=None)
    except NotImplementedError as error:
        raise SettingInvalid(
            f"Function {function.name!r} put a {type(value).__name__} into the output {output.parameter!r}; "
            "a Service Bus output takes str or bytes."
        ) from error
    return datum.value.encode() if isinstance(datum.value, str) else bytes(datum.value)
