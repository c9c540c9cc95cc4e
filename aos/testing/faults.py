"""Faults at chosen operations of stores and bus, to see that nothing is lost and nothing doubled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from aos.kernel.errors import InvalidInput


class SimulatedCrash(BaseException):
    """The process dies here. Not an `Exception`, so that no handler mistakes it for something to recover from."""


class Action(Enum):
    """What goes wrong with an operation.

    FAIL: It is not done, and says so.
    THROTTLE: It is not done; the service asks for a pause.
    LOSE_REQUEST: It is not done, but nobody can tell: a commit is ambiguous.
    LOSE_ANSWER: It is done, but nobody can tell.
    HALVE: Of several messages the first half is sent; then it fails. Any other operation is not done.
    DELAY: It is done after some time.
    CRASH: The process dies before it is done.
    CRASH_AFTER: It is done, then the process dies.
    """

    FAIL = "fail"
    THROTTLE = "throttle"
    LOSE_REQUEST = "lose request"
    LOSE_ANSWER = "lose answer"
    HALVE = "halve"
    DELAY = "delay"
    CRASH = "crash"
    CRASH_AFTER = "crash after"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        action: What goes wrong.
        at: Number of the operation it strikes, counted from 1 over those that `on` names.
        on: The operations that count: `tables.commit`, `bus.send`; `tables` for all of them; empty for every one.
        times: How many operations in a row it strikes.
        seconds: How long a delay lasts, or what pause a throttled caller is asked for.
    """

    action: Action
    at: int = 1
    on: str = ""
    times: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.at < 1 or self.times < 1:
            raise InvalidInput(
                f"A fault strikes from operation 1 on, at least once; not {self.at}, {self.times} times."
            )

    def concerns(self, operation: str) -> bool:
        return not self.on or operation == self.on or operation.startswith(f"{self.on}.")


class Faults(Protocol):
    """Says what becomes of each operation. `FaultPlan` is one; a test may bring its own."""

    def next(self, operation: str) -> Fault | None:
        """The fault that strikes this operation, the next of its kind. Raises `SimulatedCrash` in a dead process."""
        ...

    def crash(self, operation: str) -> SimulatedCrash:
        """The process dies; what to raise."""
        ...


class FaultPlan:
    """Faults decided beforehand, for everything one process does.

    After a crash every further operation raises `SimulatedCrash` too: a dead process does nothing, whatever its
    `finally` clauses try. Give the process that takes over a plan of its own.

    Args:
        *faults: What goes wrong, and where.

    Attributes:
        log: Names of the operations so far, in order. A run without faults shows where faults can strike.
        crashed: Whether the process is dead.
    """

    def __init__(self, *faults: Fault) -> None:
        self.log: list[str] = []
        self.crashed = False
        self._faults = [(fault, _Counter()) for fault in faults]

    def next(self, operation: str) -> Fault | None:
        if self.crashed:
            raise SimulatedCrash(f"{operation} of a process that has crashed")
        self.log.append(operation)
        struck: Fault | None = None
        for fault, seen in self._faults:
            if fault.concerns(operation):
                seen.value += 1
                if fault.at <= seen.value < fault.at + fault.times:
                    struck = struck or fault
        return struck

    def crash(self, operation: str) -> SimulatedCrash:
        self.crashed = True
        return SimulatedCrash(operation)

    @property
    def spent(self) -> bool:
        """Whether every fault has struck as often as it was to: a test that expects one should look."""
        return all(seen.value >= fault.at + fault.times - 1 for fault, seen in self._faults)


class _Counter:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


def crashes(log: Iterable[str]) -> list[Fault]:
    """A crash before and one after each operation of a log: all the places where a process can die."""
    return [Fault(action, at) for at, _ in enumerate(log, 1) for action in (Action.CRASH, Action.CRASH_AFTER)]
