"""What the table store says when the line breaks or the service stumbles, at every point of a write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from aos.azure.tables import AzureTableStore
from aos.kernel.errors import CommitAmbiguous, Conflict, InfrastructureError, PayloadTooLarge, StoreUnavailable
from aos.kernel.meter import metered
from aos.kernel.ports import Delete, Entity, Insert, Operation, Replace, Upsert
from tests.azure.broken_line import BrokenLine, Fault, answer_late, answer_lost, answers, not_connected

Store = Callable[..., Awaitable[tuple[AzureTableStore, BrokenLine]]]


@pytest.fixture
async def broken(azurite: str, unique: str) -> AsyncIterator[Callable[..., object]]:
    """A function that gives a store whose table exists, over a line with the given faults."""
    stores: list[AzureTableStore] = []

    async def make(*faults: Fault | None) -> tuple[AzureTableStore, BrokenLine]:
        line = BrokenLine()
        store = AzureTableStore.from_connection_string(azurite, prefix=unique, transport=line)
        stores.append(store)
        await store.commit("agents", [Upsert(Entity("p", "head", {"n": 0}))])
        line.faults, line.sent = list(faults), []
        return store, line

    yield make
    for store in stores:
        await store.close()


async def etag_of(store: AzureTableStore) -> str:
    found = await store.get("agents", "p", "head")
    assert found is not None
    assert found.etag
    return found.etag


def writes(etag: str) -> dict[str, list[Operation]]:
    head = Entity("p", "head", {"n": 1})
    return {
        "insert": [Insert(Entity("p", "new", {}))],
        "replace": [Replace(head, etag)],
        "upsert": [Upsert(head)],
        "delete": [Delete("p", "head", etag)],
        "transaction": [Replace(head, etag), Insert(Entity("p", "j:1", {}))],
    }


KINDS = ["insert", "replace", "upsert", "delete", "transaction"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [answer_lost, answer_late])
async def test_a_write_whose_answer_was_lost_is_ambiguous_and_is_not_repeated(
    broken: Store, kind: str, fault: Fault
) -> None:
    store, line = await broken()
    operations = writes(await etag_of(store))[kind]
    line.faults, line.sent = [fault], []
    with pytest.raises(CommitAmbiguous):
        await store.commit("agents", operations)
    assert len(line.sent) == 1
    changed = await store.get("agents", "p", "new" if kind == "insert" else "head")
    assert (changed is None) == (kind == "delete")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_write_that_never_left_is_unavailable(broken: Store, kind: str) -> None:
    store, line = await broken()
    operations = writes(await etag_of(store))[kind]
    line.faults = [not_connected] * 5
    with pytest.raises(StoreUnavailable, match="Connection refused"):
        await store.commit("agents", operations)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (500, "OperationTimedOut"), (504, "Gateway")])
async def test_an_error_after_the_work_was_done_is_seen_as_a_conflict_or_as_ambiguous(
    broken: Store, kind: str, status: int, code: str
) -> None:
    """The SDK repeats the write: what was inserted, replaced or deleted by it is then somebody's, perhaps ours."""
    store, line = await broken()
    operations = writes(await etag_of(store))[kind]
    line.faults, line.sent = [answers(status, code, after=True)], []
    if kind == "upsert":
        await store.commit("agents", operations)
    else:
        with pytest.raises(Conflict):
            await store.commit("agents", operations)
    assert len(line.sent) == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_without_end_are_ambiguous(broken: Store, kind: str) -> None:
    store, line = await broken()
    operations = writes(await etag_of(store))[kind]
    line.faults, line.sent = [answers(500, "InternalError")] * 9, []
    with pytest.raises(CommitAmbiguous):
        await store.commit("agents", operations)
    assert 1 < len(line.sent) < 6


async def test_an_earlier_try_that_may_have_worked_is_not_forgotten(broken: Store) -> None:
    store, line = await broken()
    operations = writes(await etag_of(store))["transaction"]
    line.faults = [answers(500, "InternalError", after=True), not_connected]
    with pytest.raises(CommitAmbiguous):
        await store.commit("agents", operations)
    assert await store.get("agents", "p", "j:1") is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_throttled_write_is_unavailable_with_the_pause_the_service_asks_for(
    broken: Store, kind: str, pauses: list[float]
) -> None:
    store, line = await broken()
    operations = writes(await etag_of(store))[kind]
    line.faults = [answers(503, "ServerBusy", headers={"Retry-After": "7"})] * 9
    with pytest.raises(StoreUnavailable, match="ServerBusy") as caught:
        await store.commit("agents", operations)
    assert caught.value.retry_after == 7
    assert set(pauses) == {7}


async def test_a_write_throttled_for_a_moment_goes_through(broken: Store) -> None:
    store, _ = await broken(answers(503, "ServerBusy"), answers(429, "TooManyRequests", headers={"Retry-After": "1"}))
    with metered() as usage:
        await store.commit("agents", [Upsert(Entity("p", "r", {}))])
    assert usage.table_operations == 3, "each try is on the bill"


async def test_a_table_that_keeps_vanishing_is_unavailable(broken: Store) -> None:
    store, _ = await broken(answers(404, "TableNotFound"), None, answers(404, "TableNotFound"))
    with pytest.raises(StoreUnavailable, match="deleted meanwhile"):
        await store.commit("agents", [Upsert(Entity("p", "r", {}))])


@pytest.mark.parametrize("fault", [not_connected, answer_lost, answers(503, "ServerBusy")])
async def test_a_read_is_tried_again(broken: Store, fault: Fault) -> None:
    store, _ = await broken(fault)
    assert await store.get("agents", "p", "head") is not None


@pytest.mark.parametrize("fault", [not_connected, answer_lost, answer_late, answers(500, "InternalError")])
async def test_a_read_that_cannot_be_had_is_unavailable(broken: Store, fault: Fault) -> None:
    store, line = await broken(*[fault] * 9)
    with pytest.raises(StoreUnavailable):
        await store.get("agents", "p", "head")
    line.faults = [fault] * 9
    with pytest.raises(StoreUnavailable):
        await store.scan("agents", "p")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (413, "RequestBodyTooLarge", PayloadTooLarge),
        (400, "EntityTooLarge", PayloadTooLarge),
        (409, "TableBeingDeleted", StoreUnavailable),
        (412, "UpdateConditionNotSatisfied", Conflict),
        (409, "EntityAlreadyExists", Conflict),
    ],
)
@pytest.mark.parametrize("kind", ["insert", "transaction"])
async def test_what_the_service_says_is_kept_apart(
    broken: Store, kind: str, status: int, code: str, error: type[Exception]
) -> None:
    store, line = await broken()
    operations = writes(await etag_of(store))[kind]
    line.faults = [answers(status, code)]
    with pytest.raises(error):
        await store.commit("agents", operations)


async def test_a_refused_identity_is_an_outage_with_a_code_of_its_own(broken: Store) -> None:
    store, line = await broken(answers(403, "AuthorizationFailure"))
    with pytest.raises(StoreUnavailable, match="role") as caught:
        await store.get("agents", "p", "head")
    assert caught.value.code == "access_denied"
    line.faults = [answers(403, "AuthorizationFailure")]
    with pytest.raises(InfrastructureError) as written:
        await store.commit("agents", [Upsert(Entity("p", "r", {}))])
    assert written.value.code == "access_denied"


@asynccontextmanager
async def store_of(connection_string: str) -> AsyncIterator[AzureTableStore]:
    store = AzureTableStore.from_connection_string(connection_string)
    try:
        yield store
    finally:
        await store.close()


async def test_no_key_appears_in_an_error_or_a_repr() -> None:
    key = "c2VjcmV0LWtleQ=="
    text = f"AccountName=someone;AccountKey={key};TableEndpoint=http://127.0.0.1:1/someone;"
    async with store_of(text) as store:
        with pytest.raises(StoreUnavailable) as caught:
            await store.commit("agents", [Insert(Entity("p", "r", {}))])
    assert key not in f"{caught.value!r} {caught.value} {caught.value.details}"
    assert "127.0.0.1" in str(caught.value), "it says where it tried"
