"""`TableStore` on Azure Table storage."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from aos.azure.entities import check_transaction, from_service
from aos.azure.entity_group import read_etags, transaction_request
from aos.azure.errors import TABLES, UNSURE_STATUSES, comes_from_azure, error_code, translate, translated
from aos.azure.identity import Opened, StorageConnection
from aos.azure.keys import encode_key
from aos.azure.per_loop import PerLoop
from aos.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound, StoreUnavailable
from aos.kernel.meter import count
from aos.kernel.ports import Delete, Entity, Insert, Operation, Page, Replace

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.data.tables.aio import TableClient, TableServiceClient

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_CLIENT_OPTIONS: Mapping[str, Any] = {
    # The service gives up on a request after 30 seconds; a turn should not wait much longer than that.
    "connection_timeout": 10,
    "read_timeout": 35,
    "retry_total": 4,
    "retry_backoff_factor": 0.3,
    "retry_backoff_max": 8,
}
_WRITE_OPTIONS: Mapping[str, Any] = {
    # A write whose answer was lost is not sent again unseen: the caller must know that the outcome is open.
    "retry_connect": 0,
    "retry_read": 0,
}
_MAX_PAGE = 1_000


class AzureTableStore:
    """Tables of one storage account. Close it in the event loop that used it.

    Args:
        connection: Where the account is, and who we are there.
        prefix: Put before each table's name.
        **options: For the SDK's client, such as `transport`.
    """

    def __init__(self, connection: StorageConnection, *, prefix: str = "", **options: Any) -> None:
        self._prefix = prefix
        merged = {**_CLIENT_OPTIONS, "raw_request_hook": _count_request, "raw_response_hook": _count_answer, **options}
        self._clients = PerLoop(lambda: _Clients(connection.open_tables(**merged)))

    @classmethod
    def from_connection_string(cls, connection_string: str, *, prefix: str = "", **options: Any) -> AzureTableStore:
        """Raises `SettingInvalid` for what cannot be a storage connection string."""
        return cls(StorageConnection.of(connection_string), prefix=prefix, **options)

    async def get(self, table: str, partition: str, row: str) -> Entity | None:
        client = self._client(table)
        partition_key, row_key = encode_key(partition), encode_key(row)
        try:
            with translated(TABLES, f"read row {row!r} of table {table!r}"):
                found = await client.get_entity(partition_key, row_key)
        except NotFound:
            return None
        return from_service(found, found.metadata["etag"])

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        bodies = check_transaction(operations)
        client = self._client(table)
        if len(operations) == 1:
            etag = await self._write(client, lambda answers: _apply(client, operations[0], bodies[0], answers))
            return [etag]
        return await self._write(client, lambda answers: _apply_all(client, operations, bodies, answers))

    async def scan(
        self,
        table: str,
        partition: str,
        *,
        first: str = "",
        before: str | None = None,
        where: Mapping[str, str | int | bool] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        if not 1 <= limit <= _MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {_MAX_PAGE} rows, not {limit}.")
        client = self._client(table)
        query = _filter(partition, first, before, where or {})
        token = _read_cursor(cursor) if cursor else None
        pages: Any = client.query_entities(query, results_per_page=limit).by_page(continuation_token=token)  # type: ignore[arg-type]  # its token is a dictionary
        try:
            with translated(TABLES, f"read rows of table {table!r}"):
                found = [from_service(row, row.metadata["etag"]) async for row in await anext(pages)]
        except NotFound:
            return Page([])
        following = pages.continuation_token
        return Page(found, _write_cursor(following) if following else None)

    async def close(self) -> None:
        clients = self._clients.take()
        if clients is not None:
            await clients.opened.close()

    def _client(self, table: str) -> TableClient:
        name = self._prefix + table
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} cannot name a table. Use 3 to 63 letters and digits, a letter first.")
        return self._clients.get().table(name)

    async def _write(self, client: TableClient, send: Callable[[_Answers], Awaitable[_T]]) -> _T:
        """Send a write; make the table where it is missing, and send again."""
        try:
            return await _send(client, send)
        except _TableMissing:
            await self._make(client)
        try:
            return await _send(client, send)
        except _TableMissing as missing:
            raise StoreUnavailable(f"Table {client.table_name!r} was deleted meanwhile. Try again.") from missing

    async def _make(self, client: TableClient) -> None:
        try:
            with translated(TABLES, f"make table {client.table_name!r}"):
                await client.create_table()
        except AlreadyExists:
            return
        _logger.info("Made table %s.", client.table_name)


class _Clients:
    """The clients of one event loop: one for the account, and one on top of it for each table."""

    def __init__(self, opened: Opened[TableServiceClient]) -> None:
        self.opened = opened
        self._tables: dict[str, TableClient] = {}

    def table(self, name: str) -> TableClient:
        client = self._tables.get(name)
        if client is None:
            client = self._tables[name] = self.opened.client.get_table_client(name)
        return client


class _TableMissing(Exception):
    """The table is yet to be made."""


class _Answers:
    """What the service answered to the tries of one write.

    The SDK sends a write again after some failures. What it raises in the end is the last one, which says nothing of
    an earlier try that may have been applied.
    """

    def __init__(self) -> None:
        self.unsure = False
        self.status = 0

    def __call__(self, response: PipelineResponse[Any, Any]) -> None:
        self.status = response.http_response.status_code
        self.unsure = self.unsure or self.status in UNSURE_STATUSES


async def _send(client: TableClient, send: Callable[[_Answers], Awaitable[_T]]) -> _T:
    answers = _Answers()
    try:
        return await send(answers)
    except Exception as error:
        if not comes_from_azure(error):
            raise
        if error_code(error) == "TableNotFound":
            raise _TableMissing from error
        doing = f"write to table {client.table_name!r}"
        raise translate(error, TABLES, doing, commit=True, unsure=answers.unsure) from error


async def _apply(client: TableClient, operation: Operation, body: dict[str, Any], answers: _Answers) -> str | None:
    """Send a single operation as itself; its row's new ETag."""
    options = {**_WRITE_OPTIONS, "raw_response_hook": answers}
    if isinstance(operation, Delete):
        await client.delete_entity(body["PartitionKey"], body["RowKey"], **_matching(operation.etag), **options)
        if answers.status == 404:  # The SDK takes a row that is not there for a success.
            raise Conflict(f"Row {operation.row!r} of table {client.table_name!r} is not there to be deleted.")
        return None
    if isinstance(operation, Insert):
        written = await client.create_entity(body, **options)
    elif isinstance(operation, Replace):
        written = await client.update_entity(body, mode="replace", **_matching(operation.etag), **options)
    else:
        written = await client.upsert_entity(body, mode="replace", **options)
    return str(written["etag"])


async def _apply_all(
    client: TableClient, operations: Sequence[Operation], bodies: Sequence[Mapping[str, Any]], answers: _Answers
) -> list[str | None]:
    """Send a transaction; the new ETag of each row."""
    request = transaction_request(
        client.url.partition("?")[0].rstrip("/"), client.table_name, client.api_version, operations, bodies
    )
    # The SDK offers no public way to send a request of one's own through its pipeline.
    pipeline = client._client  # noqa: SLF001
    # As a stream: the pipeline would try to decode the parts of the answer as one document.
    response = await pipeline.send_request(request, stream=True, raw_response_hook=answers, **_WRITE_OPTIONS)
    await response.read()
    return read_etags(response, len(operations))


def _matching(etag: str | None) -> dict[str, Any]:
    from azure.core import MatchConditions

    return {} if etag is None else {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _filter(partition: str, first: str, before: str | None, where: Mapping[str, str | int | bool]) -> str:
    terms = [f"PartitionKey eq {_literal(encode_key(partition))}"]
    if first:
        terms.append(f"RowKey ge {_literal(encode_key(first))}")
    if before is not None:
        terms.append(f"RowKey lt {_literal(encode_key(before))}")
    for name, value in where.items():
        if not name.isidentifier():
            raise InvalidInput(f"{name[:40]!r} cannot name a property to filter by.")
        terms.append(f"{name} eq {_literal(value)}")
    return " and ".join(terms)


def _literal(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L"
    return "'" + value.replace("'", "''") + "'"


def _write_cursor(token: Mapping[str, str]) -> str:
    text = json.dumps([token.get("PartitionKey"), token.get("RowKey")])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> dict[str, str]:
    try:
        partition, row = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError) as error:
        raise InvalidInput("The cursor is not one that an earlier page gave. Start again without one.") from error
    return {"PartitionKey": str(partition), "RowKey": str(row)}


def _count_request(request: PipelineRequest[Any]) -> None:
    """Each try is a transaction on the bill."""
    content = request.http_request.content
    count(table_operations=1, bytes_written=len(content) if isinstance(content, bytes | str) else 0)


def _count_answer(response: PipelineResponse[Any, Any]) -> None:
    """Only reads come here: writes have a hook of their own."""
    if response.http_request.method == "GET":
        count(bytes_read=len(response.http_response.content))
