"""Entity-group transactions on the wire: the OData batch request of the Tables service, and its answer.

The SDK's own way there goes through the `email` package several times over, which takes longer than all the rest of a
turn. The client, its connections, retries and credentials stay the SDK's.
See https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from aos.kernel.ports import Delete, Insert, Operation, Replace

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.core.rest import AsyncHttpResponse, HttpRequest

_ACCEPTED = 202
_BOUNDARY = re.compile(rb'boundary="?(changesetresponse_[^\r\n;"]+)')
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_ETAG = re.compile(rb"^etag:\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """The service's answer to one operation, or to the transaction where it was refused."""

    status: int
    etag: str | None
    body: bytes


def transaction_request(
    account_url: str, table: str, version: str, operations: Sequence[Operation], bodies: Sequence[Mapping[str, Any]]
) -> HttpRequest:
    """The request that applies all operations or none.

    Args:
        account_url: Of the account, without a query.
        table: Its name.
        version: Of the service's API.
        operations: What to do, all in one partition.
        bodies: For each operation, what `entities.check_transaction` made of it.
    """
    from azure.core.rest import HttpRequest

    batch, changeset = f"batch_{uuid4()}", f"changeset_{uuid4()}"
    url = f"{account_url}/{table}"
    parts = [_part(url, version, operation, body) for operation, body in zip(operations, bodies, strict=True)]
    start = f"--{changeset}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    content = (
        f"--{batch}\r\nContent-Type: multipart/mixed; boundary={changeset}\r\n\r\n"
        + "".join(f"{start}{part}\r\n" for part in parts)
        + f"--{changeset}--\r\n\r\n--{batch}--\r\n"
    )
    headers = {
        "x-ms-version": version,
        "DataServiceVersion": "3.0",
        "MaxDataServiceVersion": "3.0;NetFx",
        "Content-Type": f"multipart/mixed; boundary={batch}",
        "Accept": "application/json",
    }
    return HttpRequest("POST", f"{account_url}/$batch", headers=headers, content=content.encode())


def read_etags(response: AsyncHttpResponse, operations: int) -> list[str | None]:
    """The new ETag of each operation's row; None for deletes.

    Raises:
        HttpResponseError: the service refused the transaction; nothing of it was applied.
        DecodeError: the answer cannot be read.
    """
    from azure.core.exceptions import DecodeError, HttpResponseError

    body = response.content
    if response.status_code != _ACCEPTED:
        raise HttpResponseError(response=response)
    parts = _read_parts(body)
    refused = next((part for part in parts if not 200 <= part.status < 300), None)
    if refused is not None:
        raise _refusal(refused)
    if len(parts) != operations:
        raise DecodeError(f"The answer to a transaction of {operations} operations has {len(parts)} parts.")
    return [part.etag for part in parts]


def _part(url: str, version: str, operation: Operation, body: Mapping[str, Any]) -> str:
    headers = f"x-ms-version: {version}\r\nDataServiceVersion: 3.0\r\nAccept: application/json\r\n"
    if isinstance(operation, Delete):
        return f"DELETE {_address(url, body)} HTTP/1.1\r\n{headers}If-Match: {operation.etag or '*'}\r\n\r\n"
    content = json.dumps(_wire_entity(body), separators=(",", ":"))
    headers += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    if isinstance(operation, Insert):
        return f"POST {url} HTTP/1.1\r\n{headers}Prefer: return-no-content\r\n\r\n{content}"
    if isinstance(operation, Replace):
        headers += f"If-Match: {operation.etag}\r\n"
    return f"PUT {_address(url, body)} HTTP/1.1\r\n{headers}\r\n{content}"


def _address(url: str, body: Mapping[str, Any]) -> str:
    partition, row = (quote(body[key].replace("'", "''"), safe="") for key in ("PartitionKey", "RowKey"))
    return f"{url}(PartitionKey='{partition}',RowKey='{row}')"


def _wire_entity(body: Mapping[str, Any]) -> dict[str, Any]:
    """An entity as JSON, with the type of every value that JSON would leave open."""
    entity: dict[str, Any] = {}
    for name, value in body.items():
        written, kind = _wire_value(value)
        entity[name] = written
        if kind is not None:
            entity[f"{name}@odata.type"] = kind
    return entity


def _wire_value(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, tuple):
        return str(value[0]), value[1]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode(), "Edm.Binary"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return f"{moment.isoformat(timespec='microseconds')}Z", "Edm.DateTime"
    if isinstance(value, float):
        return _wire_float(value), "Edm.Double"
    return value, None


def _wire_float(value: float) -> float | str:
    if value != value:  # noqa: PLR0124  # what is not equal to itself is not a number
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _read_parts(body: bytes) -> list[Part]:
    boundary = _BOUNDARY.search(body)
    if boundary is None:
        return []
    parts = []
    for section in body.split(b"--" + boundary[1])[1:]:
        status = _STATUS.search(section)
        if status is None:
            continue
        head, _, content = section[status.start() :].partition(b"\r\n\r\n")
        etag = _ETAG.search(head)
        parts.append(Part(int(status[1]), etag[1].decode() if etag else None, content))
    return parts


def _refusal(part: Part) -> HttpResponseError:
    from azure.core.exceptions import HttpResponseError

    try:
        problem = json.loads(part.body)["odata.error"]
        code, text = str(problem["code"]), str(problem["message"]["value"])
    except (ValueError, KeyError, TypeError):
        code, text = "", ""
    error = HttpResponseError(message=text or f"The transaction was refused with status {part.status}.")
    error.status_code = part.status
    error.error_code = code  # type: ignore[attr-defined]  # as on the errors of the Tables SDK
    return error
