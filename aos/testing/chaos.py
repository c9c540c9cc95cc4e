"""Kinds of trouble by the names that chaos experiments give them, as faults of stores and bus.

`cpu_stress`, `memory_stress` and `policy_engine_failure` are not among them: stores and bus cannot show a slow
processor or a full memory, and rules are weighed in the process that asks, by no service that could fail.
"""

from __future__ import annotations

from enum import StrEnum

from aos.kernel.errors import InvalidInput
from aos.testing.faults import Action, Fault


class ChaosKind(StrEnum):
    """A kind of trouble.

    AGENT_UNAVAILABLE: The process of the agents dies at an operation; another must take over.
    NETWORK_LATENCY, NETWORK_DELAY: Everything takes its time.
    RESOURCE_EXHAUSTION: Stores and bus are at their limits, and ask for a pause.
    MESSAGE_LOSS: A send is lost on its way, and the sender cannot tell.
    STORAGE_FAILURE, STORAGE_OUTAGE: Tables and blobs are out of reach.
    MESSAGE_BUS_DELAY: Sending takes its time.
    """

    AGENT_UNAVAILABLE = "agent_unavailable"
    NETWORK_LATENCY = "network_latency"
    NETWORK_DELAY = "network_delay"
    RESOURCE_EXHAUSTION = "resource_exhaustion"
    MESSAGE_LOSS = "message_loss"
    STORAGE_FAILURE = "storage_failure"
    STORAGE_OUTAGE = "storage_outage"
    MESSAGE_BUS_DELAY = "message_bus_delay"


_STORES = ("tables", "blobs")
_FAULTS: dict[ChaosKind, tuple[Action, tuple[str, ...]]] = {
    ChaosKind.AGENT_UNAVAILABLE: (Action.CRASH, ("",)),
    ChaosKind.NETWORK_LATENCY: (Action.DELAY, ("",)),
    ChaosKind.NETWORK_DELAY: (Action.DELAY, ("",)),
    ChaosKind.RESOURCE_EXHAUSTION: (Action.THROTTLE, ("",)),
    ChaosKind.MESSAGE_LOSS: (Action.LOSE_REQUEST, ("bus.send",)),
    ChaosKind.STORAGE_FAILURE: (Action.FAIL, _STORES),
    ChaosKind.STORAGE_OUTAGE: (Action.FAIL, _STORES),
    ChaosKind.MESSAGE_BUS_DELAY: (Action.DELAY, ("bus.send",)),
}


def chaos(kind: ChaosKind | str, *, at: int = 1, times: int = 1, seconds: float = 1.0) -> tuple[Fault, ...]:
    """The faults of a kind of trouble, for a `FaultPlan`: `FaultPlan(*chaos("storage_outage", times=5))`.

    Args:
        kind: What goes wrong.
        at: Number of the operation it begins with, counted from 1 over those it concerns (tables and blobs apart).
        times: How many operations it lasts.
        seconds: How long a delay is, or the pause asked for.

    Raises:
        InvalidInput: there is no such kind.
    """
    try:
        action, places = _FAULTS[ChaosKind(kind)]
    except ValueError as error:
        raise InvalidInput(f"There is no chaos of kind {kind!r}. Use one of {', '.join(ChaosKind)}.") from error
    return tuple(Fault(action, at=at, on=place, times=times, seconds=seconds) for place in places)
