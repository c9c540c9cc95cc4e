"""Declared agents: agents without code, declared, changed and taken back while the system runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from aos.agents.declaration import Declaration
from aos.agents.declarations import read_declaration
from aos.api.access import system_of
from aos.kernel.errors import InvalidInput

router = APIRouter(tags=["agents"])

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The version the change is made to; refused where it is another")
]


@router.post("/agents", status_code=201)
async def declare(declaration: Declaration, request: Request, response: Response) -> dict[str, Any]:
    """Declare an agent. It is in force in all instances within seconds."""
    declared = await system_of(request).declarations.put(declaration, only_new=True)
    response.headers["Location"] = f"/api/v1/agents/{declaration.id}"
    response.headers["ETag"] = _etag(declared)
    return declared


@router.put("/agents/{agent_id}")
async def replace(
    agent_id: str, declaration: dict[str, Any], request: Request, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Declare an agent, or replace its declaration. The same declaration again makes no new version."""
    declared = await system_of(request).declarations.put(
        read_declaration(declaration, id=agent_id), expected=_expected(if_match)
    )
    response.headers["ETag"] = _etag(declared)
    return declared


@router.delete("/agents/{agent_id}", status_code=204)
async def withdraw(agent_id: str, request: Request, if_match: IfMatch = None) -> None:
    """Take a declared agent out of force. Its state, journal and versions stay."""
    await system_of(request).declarations.delete(agent_id, expected=_expected(if_match))


@router.get("/agents/{agent_id}/declaration")
async def declaration(agent_id: str, request: Request, response: Response) -> dict[str, Any]:
    """The declaration in force."""
    declared = await system_of(request).declarations.get(agent_id)
    response.headers["ETag"] = _etag(declared)
    return declared


@router.get("/agents/{agent_id}/versions")
async def versions(agent_id: str, request: Request) -> dict[str, Any]:
    """All versions of a declaration, oldest first."""
    return {"id": agent_id, "versions": await system_of(request).declarations.versions(agent_id)}


@router.get("/agents/{agent_id}/versions/{version}")
async def version(agent_id: str, version: int, request: Request) -> dict[str, Any]:
    """One version of a declaration."""
    return await system_of(request).declarations.get(agent_id, version)


def _etag(declared: dict[str, Any]) -> str:
    return f'"{declared["version"]}"'


def _expected(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isdigit():
        raise InvalidInput(f'If-Match is {if_match!r}. Send the version you read, such as "3".')
    return int(text)
