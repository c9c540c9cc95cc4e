"""`BlobStore` on Azure Blob storage."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aos.azure.errors import BLOBS, comes_from_azure, error_code, translate, translated
from aos.azure.identity import Opened, StorageConnection
from aos.azure.per_loop import PerLoop
from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound, StoreUnavailable
from aos.kernel.meter import count
from aos.kernel.ports import BlobInfo, BlobPage

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient

_logger = logging.getLogger(__name__)

DEFAULT_CONTAINER = "aos-data"
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9](-?[a-z0-9])+")
_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METADATA_VALUE = re.compile(r"([!-~]([ -~]*[!-~])?)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_MAX_NAME = 1024
_MAX_PAGE = 1_000
_CHUNK = 4 * 1024 * 1024
_CLIENT_OPTIONS: Mapping[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    "retry_total": 3,
    "initial_backoff": 1,
    "increment_base": 2,
    "random_jitter_range": 1,
    # What goes up or down in chunks holds a few of them in memory, whatever the size of the blob.
    "max_single_put_size": 2 * _CHUNK,
    "max_block_size": _CHUNK,
    "max_single_get_size": 2 * _CHUNK,
    "max_chunk_get_size": _CHUNK,
}


class AzureBlobStore:
    """Blobs of one container. Close it in the event loop that used it.

    Args:
        connection: Where the account is, and who we are there.
        container: Its name; it is made when it is missing.
        **options: For the SDK's client, such as `transport`.
    """

    def __init__(self, connection: StorageConnection, *, container: str = DEFAULT_CONTAINER, **options: Any) -> None:
        if not _CONTAINER.fullmatch(container):
            raise InvalidInput(
                f"{container!r} cannot name a container. Use 3 to 63 lower-case letters, digits and single dashes."
            )
        self._container = container
        self._container_seen = False
        merged = {**_CLIENT_OPTIONS, "raw_response_hook": _count_answer, **options}
        self._clients: PerLoop[Opened[BlobServiceClient]] = PerLoop(lambda: connection.open_blobs(**merged))

    @classmethod
    def from_connection_string(
        cls, connection_string: str, *, container: str = DEFAULT_CONTAINER, **options: Any
    ) -> AzureBlobStore:
        """Raises `SettingInvalid` for what cannot be a storage connection string."""
        return cls(StorageConnection.of(connection_string), container=container, **options)

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        from azure.storage.blob import ContentSettings

        _check_name(name)
        _check_metadata(metadata or {})
        blob = self._client().get_blob_client(name)
        settings = ContentSettings(content_type=content_type)
        kept = dict(metadata or {})

        async def upload() -> None:
            await blob.upload_blob(data, overwrite=True, content_settings=settings, metadata=kept)

        # A stream can be read once only: its upload cannot be the one to find that the container is missing.
        once = not isinstance(data, bytes)
        if once and not self._container_seen:
            await self._make()
        await self._write(f"write blob {name!r}", upload, once=once)

    async def get(self, name: str) -> bytes | None:
        _check_name(name)
        try:
            with translated(BLOBS, f"read blob {name!r}"):
                return await (await self._client().download_blob(name)).readall()
        except NotFound:
            return None

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        _check_name(name)
        with translated(BLOBS, f"read blob {name!r}"):
            chunks = (await self._client().download_blob(name)).chunks()
        while True:
            try:
                with translated(BLOBS, f"read blob {name!r}"):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            yield chunk

    async def stat(self, name: str) -> BlobInfo | None:
        _check_name(name)
        try:
            with translated(BLOBS, f"look at blob {name!r}"):
                found = await self._client().get_blob_client(name).get_blob_properties()
        except NotFound:
            return None
        return _info(found, name)

    async def list(self, prefix: str, *, limit: int = 100, cursor: str | None = None) -> BlobPage:
        if not 1 <= limit <= _MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {_MAX_PAGE} blobs, not {limit}.")
        listing = self._client().list_blobs(name_starts_with=prefix, include=["metadata"], results_per_page=limit)
        pages: Any = listing.by_page(continuation_token=cursor)
        try:
            with translated(BLOBS, f"list blobs under {prefix!r}"):
                found = [_info(blob, blob.name) async for blob in await anext(pages)]
        except NotFound:
            return BlobPage([])
        return BlobPage(found, pages.continuation_token or None)

    async def delete(self, name: str) -> bool:
        _check_name(name)
        try:
            with translated(BLOBS, f"delete blob {name!r}"):
                await self._client().delete_blob(name)
        except NotFound:
            return False
        return True

    async def close(self) -> None:
        opened = self._clients.take()
        if opened is not None:
            await opened.close()

    def _client(self) -> ContainerClient:
        return self._clients.get().client.get_container_client(self._container)

    async def _write(self, doing: str, send: Callable[[], Awaitable[None]], *, once: bool) -> None:
        """Send a write; make the container where it is missing, and send again unless that can be done `once` only."""
        try:
            return await self._send(doing, send)
        except _ContainerMissing as missing:
            if once:
                raise self._deleted() from missing
        await self._make()
        try:
            await self._send(doing, send)
        except _ContainerMissing as missing:
            raise self._deleted() from missing

    def _deleted(self) -> StoreUnavailable:
        return StoreUnavailable(f"Container {self._container!r} was deleted meanwhile. Try again.")

    async def _send(self, doing: str, send: Callable[[], Awaitable[None]]) -> None:
        try:
            await send()
        except Exception as error:
            if not comes_from_azure(error):
                raise
            if error_code(error) == "ContainerNotFound":
                self._container_seen = False
                raise _ContainerMissing from error
            raise translate(error, BLOBS, doing) from error
        self._container_seen = True

    async def _make(self) -> None:
        try:
            with translated(BLOBS, f"make container {self._container!r}"):
                await self._client().create_container()
        except AlreadyExists:
            pass
        else:
            _logger.info("Made container %s.", self._container)
        self._container_seen = True


class _ContainerMissing(Exception):
    """The container is yet to be made."""


def _info(found: BlobProperties, name: str) -> BlobInfo:
    return BlobInfo(
        name=name,
        size=found.size,
        content_type=found.content_settings.content_type or "application/octet-stream",
        modified=found.last_modified,
        metadata=dict(found.metadata or {}),
    )


def _check_name(name: str) -> None:
    parts = name.split("/")
    # Dot segments would be folded away on the way, and name another blob.
    if not name or len(name) > _MAX_NAME or _CONTROL.search(name) or {".", ".."} & set(parts) or name[-1] in "./":
        raise InvalidInput(
            f"{name[:80]!r} cannot name a blob. Use 1 to {_MAX_NAME} characters without control characters, "
            "backslashes or the segments '.' and '..', and end with neither '.' nor '/'."
        )


def _check_metadata(metadata: Mapping[str, str]) -> None:
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name) or not _METADATA_VALUE.fullmatch(value):
            raise InvalidInput(
                f"Metadata {name[:40]!r} cannot be kept with a blob. Names are letters, digits and _, values printable "
                "ASCII without spaces at their ends; percent-encode others."
            )


def _count_answer(response: PipelineResponse[Any, Any]) -> None:
    """Each answered try is an operation on the bill."""
    request = response.http_request
    sent = request.headers.get("Content-Length", "0") if request.method == "PUT" else "0"
    received = response.http_response.headers.get("Content-Length", "0") if request.method == "GET" else "0"
    count(blob_operations=1, bytes_written=int(sent), bytes_read=int(received))
