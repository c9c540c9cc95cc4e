"""Transactions on the wire: what is sent comes back as it was, and every answer is told from every other."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from azure.core.exceptions import DecodeError, HttpResponseError

from aos.azure.entity_group import read_etags
from aos.azure.tables import AzureTableStore
from aos.kernel.ports import Delete, Entity, Insert, Replace, Upsert, Value

CHANGESET = "changesetresponse_1"
START = f"--batchresponse_1\r\nContent-Type: multipart/mixed; boundary={CHANGESET}\r\n\r\n"
PART = f"--{CHANGESET}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
END = f"--{CHANGESET}--\r\n--batchresponse_1--\r\n"
WRITTEN = PART + 'HTTP/1.1 204 No Content\r\nDataServiceVersion: 3.0;\r\nETag: W/"1"\r\n\r\n\r\n'
DELETED = PART + "HTTP/1.1 204 No Content\r\nDataServiceVersion: 1.0;\r\n\r\n\r\n"


class Answer:
    headers: ClassVar[dict[str, str]] = {}
    reason = "reason"

    def __init__(self, status: int, content: str) -> None:
        self.status_code = status
        self.content = content.encode()

    def text(self) -> str:
        return self.content.decode()


def _read(answer: Any, operations: int) -> list[str | None]:
    return read_etags(answer, operations)


def test_each_part_of_the_answer_gives_the_etag_of_its_row() -> None:
    assert _read(Answer(202, START + WRITTEN + DELETED + END), 2) == ['W/"1"', None]
    # Header names have no case, and boundaries may be quoted.
    other = (START + WRITTEN + END).replace("ETag", "etag").replace(f"={CHANGESET}", f'="{CHANGESET}"')
    assert _read(Answer(202, other), 1) == ['W/"1"']


def test_a_refused_part_is_an_error_with_its_status_and_code() -> None:
    body = '{"odata.error":{"code":"UpdateConditionNotSatisfied","message":{"lang":"en-US","value":"0:No."}}}'
    refused = f"{PART}HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
    with pytest.raises(HttpResponseError, match="0:No") as failure:
        _read(Answer(202, START + refused + END), 2)
    assert failure.value.status_code == 412
    assert failure.value.error_code == "UpdateConditionNotSatisfied"  # type: ignore[attr-defined]
    with pytest.raises(HttpResponseError, match="status 500"):
        _read(Answer(202, START + f"{PART}HTTP/1.1 500 Error\r\n\r\nno JSON\r\n" + END), 1)


def test_an_answer_that_is_none_is_told_from_a_refusal() -> None:
    with pytest.raises(HttpResponseError) as failure:
        _read(Answer(503, "busy"), 1)
    assert failure.value.status_code == 503
    for content in ("", "nothing", START + END, START + WRITTEN + END):
        with pytest.raises(DecodeError):
            _read(Answer(202, content), 2)


async def test_what_a_transaction_writes_is_read_as_it_was(azurite: str) -> None:
    table = f"t{uuid4().hex[:20]}"
    values: dict[str, Value] = {
        "text": 'it\'s a "quote" ß 🙂\r\n',
        "empty": "",
        "bytes": bytes(range(256)),
        "whole": 2**62,
        "small": -1,
        "half": 0.5,
        "one": 1.0,
        "yes": True,
        "when": datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC),
    }
    partition = "it's/a#key?ß"
    store = AzureTableStore.from_connection_string(azurite)
    try:
        first, _ = await store.commit(
            table, [Insert(Entity(partition, "a'b", values)), Insert(Entity(partition, "gone", {}))]
        )
        found = await store.get(table, partition, "a'b")
        assert found is not None
        assert (found.values, found.etag) == (values, first)
        assert isinstance(found.values["one"], float)
        etags = await store.commit(
            table,
            [
                Replace(Entity(partition, "a'b", {"text": "new"}), first or ""),
                Delete(partition, "gone"),
                Upsert(Entity(partition, "infinite", {"much": math.inf, "little": -math.inf})),
            ],
        )
        found = await store.get(table, partition, "a'b")
        assert found is not None
        assert (found.values, found.etag) == ({"text": "new"}, etags[0])
        assert etags[1] is None
        assert await store.get(table, partition, "gone") is None
        infinite = await store.get(table, partition, "infinite")
        assert infinite is not None
        assert infinite.values == {"much": math.inf, "little": -math.inf}
    finally:
        await store.close()
