"""The seam between routing and the wire: one call to one model of one provider, without retries.

`aos.llm.client.HttpTransport` is the implementation; a test or a user's own may take its place.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aos.llm.provider import ProviderProfile
    from aos.llm.request import EmbeddingRequest, ModelRequest
    from aos.llm.response import Delta, EmbeddingResponse, ModelResponse

Secrets = Callable[[str], Awaitable[str | None]]
"""Looks a secret up by name: an environment variable, a setting or a vault entry; None where there is none."""

TokenSource = Callable[[str], Awaitable[str]]
"""A Microsoft Entra access token for a scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimes:
    """How long a single call may take, in seconds.

    Attributes:
        deadline: Moment on the transport's monotonic clock after which nothing is begun or left open. It bounds
            all the others.
        whole: The call from start to end. A stream that keeps flowing is bounded by `deadline` alone.
        connect: Until the connection stands.
        first_token: Until the first content of a stream.
        between_tokens: Between two pieces of a stream.
    """

    deadline: float | None = None
    whole: float | None = 60.0
    connect: float = 10.0
    first_token: float | None = 30.0
    between_tokens: float | None = 20.0


class ModelTransport(Protocol):
    """One try. Every failure is a `ModelError` that names provider and model; retries are the router's.

    Cancelling the awaiting task, or closing the generator, closes the connection to the provider before the
    cancellation is over.
    """

    async def complete(
        self, profile: ProviderProfile, model: str, request: ModelRequest, *, times: CallTimes
    ) -> ModelResponse:
        """The whole answer."""
        ...

    def stream(
        self, profile: ProviderProfile, model: str, request: ModelRequest, *, times: CallTimes
    ) -> AsyncGenerator[Delta, None]:
        """The answer as it comes. The last delta is a `StreamEnd`.

        An error raised after content was given carries what arrived in `partial`.
        """
        ...

    async def embed(
        self, profile: ProviderProfile, model: str, request: EmbeddingRequest, *, times: CallTimes
    ) -> EmbeddingResponse: ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...
