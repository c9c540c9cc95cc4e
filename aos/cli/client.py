"""The API as the commands use it: where it is, the key, and errors as sentences."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from aos.kernel.errors import AosError

URL_VARIABLE = "AOS_URL"
KEY_VARIABLE = "AOS_KEY"
ENDPOINT_FILE = Path(".aos") / "endpoint.json"
DEFAULT_URL = "http://127.0.0.1:7071"


class CommandFailed(AosError):
    """A command cannot do what it was asked; the message says why and what to do."""

    code = "command_failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a system is. `repr` does not show the key."""

    url: str
    key: str | None

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"

    @classmethod
    def find(cls, url: str | None, key: str | None) -> Endpoint:
        """The system meant: as given, else by the environment, else the one `aos up` runs here."""
        known: dict[str, str] = {}
        if ENDPOINT_FILE.is_file():
            known = json.loads(ENDPOINT_FILE.read_text(encoding="utf-8"))
        chosen = url or os.environ.get(URL_VARIABLE) or known.get("url") or DEFAULT_URL
        secret = key or os.environ.get(KEY_VARIABLE)
        if secret is None and chosen.rstrip("/") == known.get("url"):
            secret = known.get("key")
        return cls(chosen.rstrip("/"), secret)

    def keep(self) -> None:
        """Let the other commands find this system."""
        ENDPOINT_FILE.parent.mkdir(parents=True, exist_ok=True)
        ENDPOINT_FILE.touch(mode=0o600)
        ENDPOINT_FILE.write_text(json.dumps({"url": self.url, "key": self.key}), encoding="utf-8")

    @staticmethod
    def forget() -> None:
        ENDPOINT_FILE.unlink(missing_ok=True)


class Client:
    """Calls the API. Every failure comes out as `CommandFailed`."""

    def __init__(self, endpoint: Endpoint, http: httpx.AsyncClient) -> None:
        self.endpoint = endpoint
        self._http = http

    async def get(self, path: str, **query: Any) -> Any:
        return await self._json("GET", path, params=_given(query))

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return await self._json("POST", path, json=body, **options)

    async def post_text(self, path: str, text: str, content_type: str, **query: Any) -> Any:
        headers = {"Content-Type": content_type}
        return await self._json("POST", path, params=_given(query), content=text.encode(), headers=headers)

    async def text(self, path: str, **query: Any) -> str:
        return (await self._request("GET", path, params=_given(query))).text

    async def put(self, path: str, body: Any, **options: Any) -> Any:
        return await self._json("PUT", path, json=body, **options)

    async def delete(self, path: str) -> None:
        await self._request("DELETE", path)

    async def upload(self, name: str, data: bytes, content_type: str) -> str:
        """Store an artifact; returns its id."""
        stored = await self._json(
            "POST", "/artifacts", params={"name": name}, content=data, headers={"Content-Type": content_type}
        )
        return str(stored["id"])

    async def download(self, artifact_id: str) -> bytes:
        return (await self._request("GET", f"/artifacts/{artifact_id}")).content

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return (await self._request(method, path, **options)).json()

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = f"{self.endpoint.url}/api/v1{path}"
        try:
            response = await self._http.request(method, url, **options)
        except httpx.HTTPError as error:
            raise CommandFailed(
                f"{self.endpoint.url} does not answer ({type(error).__name__}). Start a system with `aos up`, or name "
                f"another with --url."
            ) from error
        if response.is_success:
            return response
        raise _failure(response, self.endpoint)


@asynccontextmanager
async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
    """A client for the block."""
    headers = {"x-functions-key": endpoint.key} if endpoint.key else {}
    async with httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(30, read=230)) as http:
        yield Client(endpoint, http)


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _failure(response: httpx.Response, endpoint: Endpoint) -> CommandFailed:
    if response.status_code == 401:
        return CommandFailed(
            f"{endpoint.url} wants a key. Give it with --key, or in {KEY_VARIABLE}.", code="authentication_failure"
        )
    try:
        problem = response.json()
        return CommandFailed(str(problem["detail"]), code=str(problem["code"]), details=problem.get("details"))
    except (ValueError, KeyError, TypeError):
        return CommandFailed(f"{endpoint.url} answered {response.status_code}: {response.text[:200]}")
