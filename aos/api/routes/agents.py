"""Agents: which there are, how each is, what it did, and to send one a message."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from aos.agents.directory import is_settled
from aos.api.access import After, Cursor, Limit, Wait, system_of
from aos.api.following import follow
from aos.kernel.address import agent_type
from aos.kernel.message import MAX_LABELS, check_labels
from aos.kernel.outgoing import IN_JOURNAL


async def known_here(request: Request) -> None:
    """Agents declared elsewhere are known here."""
    await system_of(request).declarations.keep_fresh(agent_type(request.path_params.get("agent_id", "")) or None)


router = APIRouter(tags=["agents"], dependencies=[Depends(known_here)])


class Letter(BaseModel):
    """A message for an agent.

    Attributes:
        type: What it means; an agent's detail lists the types it handles.
        data: Its payload.
        id: The same id has its effect once.
        conversation_id: The exchange it belongs to.
        priority: 1 to 10.
        reply_to: Where a reply should go: an agent's address or `queue:<name>`.
        labels: What is to be known about the data: `untrusted:<where from>` for what somebody outside wrote.
    """

    model_config = ConfigDict(extra="forbid")

    type: str = Field(min_length=1, max_length=200)
    data: Any = None
    id: str | None = Field(default=None, min_length=1, max_length=128)
    conversation_id: str | None = Field(default=None, max_length=128)
    priority: int = Field(default=5, ge=1, le=10)
    reply_to: str | None = Field(default=None, max_length=128)
    labels: list[str] = Field(default=[], max_length=MAX_LABELS)


@router.get("/agents")
async def page(
    request: Request,
    type: str | None = None,
    agent_type: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Agents: the registered single ones first, then those of types of many."""
    agents, following = await system_of(request).directory.page(type=type or agent_type, limit=limit, cursor=cursor)
    return {"agents": agents, "total": len(agents), "cursor": following}


@router.get("/agents/{agent_id}")
async def detail(agent_id: str, request: Request) -> dict[str, Any]:
    """An agent with its state."""
    return await system_of(request).directory.detail(agent_id)


@router.get("/agents/{agent_id}/status")
async def status(agent_id: str, request: Request) -> dict[str, Any]:
    """An agent without its state."""
    return await system_of(request).directory.status(agent_id)


@router.get("/agents/{agent_id}/context")
async def context(agent_id: str, request: Request) -> dict[str, Any]:
    """What an agent keeps in its context, its newest 50 events and memory items, and statistics."""
    server = await system_of(request).directory.context(agent_id)
    return {
        "context": await server.get_all_context(),
        "history": await server.get_event_history(50),
        "memory": await server.get_memory(50),
        "statistics": await server.get_statistics(),
        "metadata": server.metadata,
    }


@router.get("/agents/{agent_id}/conversations")
async def conversations(agent_id: str, request: Request, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """An agent's conversations, those begun last first."""
    history = await system_of(request).directory.conversations(agent_id)
    found, following = await history.list(limit=limit, cursor=cursor)
    return {"agent": agent_id, "conversations": found, "cursor": following}


@router.get("/agents/{agent_id}/conversations/{conversation:path}")
async def conversation(
    agent_id: str,
    conversation: str,
    request: Request,
    limit: Limit = 50,
    cursor: Annotated[int | None, Query(ge=0, description="Where the page before said to go on")] = None,
    order: Annotated[Literal["newest", "oldest"], Query(description="From which end it is read")] = "newest",
) -> dict[str, Any]:
    """What was said in one conversation, entry by entry, with its summary."""
    history = await system_of(request).directory.conversations(agent_id)
    return {"agent": agent_id, **await history.page(conversation, limit=limit, cursor=cursor, order=order)}


@router.get("/agents/{agent_id}/journal")
async def journal(
    agent_id: str,
    request: Request,
    after: Annotated[int, Query(ge=0, description="Entries above this version")] = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """What an agent did, turn by turn, oldest first."""
    entries = await system_of(request).directory.journal(agent_id, after=after, limit=limit)
    following = entries[-1].version if len(entries) == limit else None
    return {"entries": [entry.to_json() for entry in entries], "after": following}


@router.get("/agents/{agent_id}/events", response_model=None)
async def events(agent_id: str, request: Request, after: After = None, wait: Wait = 0) -> Response | dict[str, Any]:
    """What an agent puts on record, as it does: server-sent events, or JSON for those who ask again."""
    return await follow(request, agent_id, after=after, wait=wait)


@router.get("/agents/{agent_id}/wakes")
async def wakes(agent_id: str, request: Request) -> dict[str, Any]:
    """What wakes an agent: types of messages, topics, and the clock."""
    return {"agent": agent_id, "wakes": await system_of(request).alarm.plan(agent_id)}


@router.get("/agents/{agent_id}/verification")
async def verification(agent_id: str, request: Request) -> dict[str, Any]:
    """Recompute the hash chain of an agent's journal."""
    found = await system_of(request).directory.verify(agent_id)
    return {"agent": found.agent, "entries": found.entries, "intact": found.problem is None, "problem": found.problem}


@router.post("/agents/{agent_id}/messages", status_code=202)
async def send(
    agent_id: str,
    letter: Letter,
    request: Request,
    response: Response,
    wait: Wait = 0,
    traceparent: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Put a message into an agent's mailbox; with `wait`, answered 200 with what became of it and the agent's answer.

    The answer is here unless `reply_to` names another place for it.
    """
    system = system_of(request)
    seconds = min(wait, system.config.api.max_wait_seconds)
    message_id = await system.directory.send(
        agent_id,
        letter.type,
        letter.data,
        message_id=letter.id,
        traceparent=traceparent,
        conversation_id=letter.conversation_id,
        priority=letter.priority,
        reply_to=letter.reply_to or (IN_JOURNAL if seconds else None),
        labels=check_labels(letter.labels),
    )
    sent = {"message_id": message_id, "agent": agent_id}
    if not seconds:
        return sent
    outcome = await system.directory.await_outcome(agent_id, message_id, seconds=seconds)
    if is_settled(outcome):
        response.status_code = 200
    return {**sent, **outcome}


@router.get("/audit/verification", tags=["audit"])
async def verify_all(request: Request) -> dict[str, Any]:
    """Recompute the hash chains of all agents."""
    directory = system_of(request).directory
    found = [await directory.verify(address) async for address in directory.addresses()]
    return {
        "agents": len(found),
        "entries": sum(item.entries for item in found),
        "intact": all(item.problem is None for item in found),
        "problems": [{"agent": item.agent, "problem": item.problem} for item in found if item.problem],
    }
