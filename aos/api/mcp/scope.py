"""Who may see which agents over MCP: a port, asked with each request."""

from __future__ import annotations

from typing import Protocol

from fastapi import Request


class Scope(Protocol):
    """Decides by the request's credential, which the host has checked: its key, or none where it asks for none."""

    async def sees(self, request: Request, agent_type: str) -> bool:
        """Whether whoever sent the request may see this agent and send it messages."""


class EveryAgent:
    """Whoever gets past the host sees all agents, as in the rest of the API."""

    async def sees(self, request: Request, agent_type: str) -> bool:  # noqa: ARG002  # all alike
        return True


def scope_of(request: Request) -> Scope:
    """The scope of the request's app: `app.state.mcp_scope`, or every agent."""
    found: Scope = getattr(request.app.state, "mcp_scope", None) or EveryAgent()
    return found
