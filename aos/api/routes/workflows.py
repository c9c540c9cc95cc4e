"""Workflows: put one there, look whether it is right, see its versions and its picture."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from aos.api.access import Cursor, Limit, system_of
from aos.api.body import YAML
from aos.kernel.errors import InvalidInput
from aos.workflows.definition.graph_json import graph_json
from aos.workflows.definition.mermaid import flowchart

router = APIRouter(tags=["workflows"])

Name = Annotated[str, Query(max_length=63, description="Its name, where the definition gives none")]
By = Annotated[str | None, Query(max_length=100, description="Who puts it; it is kept with the version")]
Shape = Annotated[
    Literal["mermaid", "json"], Query(alias="format", description="Text of a Mermaid flowchart, or nodes and edges")
]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "object"}} for kind in ("application/json", "application/yaml")},
    }
}


@router.post("/workflows", status_code=201, openapi_extra=_BODY)
async def put(request: Request, response: Response, name: Name = "", by: By = None) -> dict[str, Any]:
    """Keep a workflow, JSON or YAML, as the latest version of its name. 200 where it is the latest already."""
    definitions = system_of(request).definitions
    text, is_json = await _text(request)
    file = await definitions.read(text, source="The workflow", name=name, is_json=is_json)
    kept, is_new = await definitions.put(file.workflow, by=by)
    response.headers["Location"] = f"/api/v1/workflows/{kept['name']}@{kept['version']}"
    if not is_new:
        response.status_code = 200
    return {**kept, "repeated": not is_new}


@router.post("/workflows/check", openapi_extra=_BODY)
async def check(request: Request, name: Name = "") -> dict[str, Any]:
    """Everything that is wrong with a workflow, without keeping it."""
    text, is_json = await _text(request)
    workflow, problems = await system_of(request).definitions.problems(
        text, source="The workflow", name=name, is_json=is_json
    )
    found = {"name": workflow.name, "version": workflow.version} if workflow is not None else {}
    return {"ok": not problems, **found, "problems": problems}


@router.get("/workflows")
async def page(request: Request, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """The latest version of each workflow, in order of names."""
    found, following = await system_of(request).definitions.names(limit=limit, cursor=cursor)
    return {"workflows": found, "cursor": following}


@router.get("/workflows/{reference}")
async def show(reference: str, request: Request) -> dict[str, Any]:
    """A workflow by `name`, which is its latest version, or by `name@version`."""
    workflow = await system_of(request).definitions.find(reference)
    return {
        "name": workflow.name,
        "version": workflow.version,
        "digest": workflow.digest,
        "title": workflow.title,
        "description": workflow.description,
        "definition": workflow.to_json(),
    }


@router.get("/workflows/{name}/versions")
async def versions(name: str, request: Request, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """All versions of a workflow, newest first."""
    found, following = await system_of(request).definitions.versions(name, limit=limit, cursor=cursor)
    return {"versions": found, "cursor": following}


@router.get("/workflows/{reference}/graph", response_model=None)
async def graph(reference: str, request: Request, shape: Shape = "mermaid") -> Response:
    """The picture of a workflow."""
    workflow = await system_of(request).definitions.find(reference)
    if shape == "json":
        return JSONResponse(graph_json(workflow))
    return PlainTextResponse(flowchart(workflow))


async def _text(request: Request) -> tuple[str, bool]:
    """The body, and whether it is JSON; the media type says so."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("The body is not UTF-8. Send it as such.") from error
    return text, kind not in YAML
