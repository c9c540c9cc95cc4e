"""Artifacts: files up and down."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from aos.api.access import system_of

router = APIRouter(tags=["artifacts"])


@router.post("/artifacts", status_code=201)
async def upload(
    request: Request,
    name: Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description="File name")],
    content_type: Annotated[str, Header()] = "application/octet-stream",
) -> dict[str, Any]:
    """Store the body as a file. The same content under the same name is the same artifact."""
    artifact = await system_of(request).artifacts.put(name, await request.body(), content_type)
    return artifact.model_dump()


@router.get("/artifacts/{digest}/{name}")
async def download(digest: str, name: str, request: Request) -> StreamingResponse:
    """The content of an artifact."""
    artifacts = system_of(request).artifacts
    artifact = await artifacts.describe(f"{digest}/{name}")
    headers = {
        "Content-Length": str(artifact.size),
        "ETag": f'"{digest}"',
        "Content-Disposition": f'attachment; filename="{artifact.name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(artifacts.stream(artifact.id), media_type=artifact.content_type, headers=headers)
