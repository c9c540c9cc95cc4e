"""What routes get from the app they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Query, Request

if TYPE_CHECKING:
    from aos.system import AgentOperatingSystem


def _system(request: Request) -> object:
    return request.app.state.system


def system_of(request: Request) -> AgentOperatingSystem:
    """The system behind the app."""
    return cast("AgentOperatingSystem", request.app.state.system)


System = Annotated[object, Depends(_system)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="How many at the most")]
Cursor = Annotated[str | None, Query(description="Where the page before said to go on")]
Wait = Annotated[float, Query(ge=0, le=200, description="Seconds to wait for an answer worth giving")]
After = Annotated[str | None, Query(description="Id of the last event that was seen")]
