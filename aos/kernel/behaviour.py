"""What the kernel asks of the code behind an agent type, and of the catalogue that knows the types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from aos.kernel.errors import AosError
    from aos.kernel.head import Head
    from aos.kernel.journal import JournalEntry
    from aos.kernel.message import Message
    from aos.kernel.policy import AgentPolicy
    from aos.kernel.turn import Turn


class Behaviour(Protocol):
    """An agent type as the kernel sees it. It keeps nothing between turns: all state is in `turn.state`."""

    @property
    def type(self) -> str: ...

    @property
    def policy(self) -> AgentPolicy: ...

    def initial_state(self) -> dict[str, Any]:
        """The state of an agent that has not lived yet, as JSON."""
        ...

    async def handle(self, turn: Turn) -> None:
        """Deal with `turn.message`. Raises to have it retried (`RetryableError`) or given up (`TerminalError`)."""
        ...


@runtime_checkable
class Abandoning(Protocol):
    """A behaviour with loose ends to tie when one of its messages is given up."""

    async def abandon(self, turn: Turn, error: AosError) -> set[str]:
        """Send and record what follows from giving up `turn.message`; `turn.recorded()` tells what was done.

        Returns:
            Row keys of steps that hold no more: should the dead letter be sent again, they are done anew.
        """
        ...


class Catalogue(Protocol):
    """The agent types there are, and who listens to what."""

    def behaviour(self, agent_type: str) -> Behaviour | None: ...

    def subscribers(self, event: Message) -> Iterable[str]:
        """Addresses of the agents a topic event is for."""
        ...


class Projection(Protocol):
    """A read model fed after each commit. Applying the same version twice must be harmless."""

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None: ...

    def concerns(self, agent: str, version: int) -> bool:
        """Whether this turn is of interest; called for each turn, so it must be cheap."""
        ...


@runtime_checkable
class EntryProjection(Protocol):
    """A read model that tells from what a turn did whether it is of interest."""

    def chooses(self, entry: JournalEntry) -> bool:
        """Whether this turn is of interest; called for each turn, so it must be cheap."""
        ...

    async def apply_entry(self, entry: JournalEntry, head: Head) -> None:
        """Take note of a turn, `head` being its agent's newest known head. Doing it twice must be harmless."""
        ...
