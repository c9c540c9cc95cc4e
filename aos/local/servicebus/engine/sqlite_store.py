"""Keeps a bus in a SQLite file: changes noted meanwhile are committed together, on a thread of their own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from aos.local.servicebus.engine.errors import StoreBroken
from aos.local.servicebus.engine.message import Message
from aos.local.servicebus.engine.message_record import message_from_json, message_to_json
from aos.local.servicebus.engine.store import Snapshot

_VERSION = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE entity (path TEXT PRIMARY KEY, description TEXT NOT NULL, position INTEGER NOT NULL);
CREATE TABLE message (
    queue TEXT NOT NULL, number INTEGER NOT NULL, fields TEXT NOT NULL, body BLOB NOT NULL, wire BLOB NOT NULL,
    PRIMARY KEY (queue, number)
);
CREATE TABLE sequence (queue TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE session (queue TEXT NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (queue, id));
CREATE TABLE duplicate (
    entity TEXT NOT NULL, message_id TEXT NOT NULL, until TEXT NOT NULL, PRIMARY KEY (entity, message_id)
);
CREATE INDEX duplicate_until ON duplicate (entity, until);
PRAGMA user_version = {_VERSION};
COMMIT;
"""

_PUT_ENTITY = (
    "INSERT INTO entity VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1 FROM entity)) "
    "ON CONFLICT (path) DO UPDATE SET description = excluded.description"
)
_PUT_MESSAGE = "INSERT INTO message VALUES (?, ?, ?, ?, ?)"
_UPDATE_MESSAGE = "UPDATE message SET fields = ? WHERE queue = ? AND number = ?"
_DELETE_MESSAGE = "DELETE FROM message WHERE queue = ? AND number = ?"
_PUT_SEQUENCE = "INSERT INTO sequence VALUES (?, ?) ON CONFLICT (queue) DO UPDATE SET number = excluded.number"
_PUT_STATE = "INSERT INTO session VALUES (?, ?, ?) ON CONFLICT (queue, id) DO UPDATE SET state = excluded.state"
_DELETE_STATE = "DELETE FROM session WHERE queue = ? AND id = ?"
_REMEMBER = "INSERT OR REPLACE INTO duplicate VALUES (?, ?, ?)"
_FORGET = "DELETE FROM duplicate WHERE entity = ? AND until <= ?"
# An entity, its sub-queues and, for a topic, its subscriptions; never another one whose name begins alike.
_UNDER = "{0} IN (?, ?, ?) OR substr({0}, 1, ?) = ?"
_DELETE_UNDER = tuple(
    f"DELETE FROM {table} WHERE {_UNDER.format(column)}"  # noqa: S608  # names from the next lines only
    for table, column in (
        ("entity", "path"),
        ("message", "queue"),
        ("sequence", "queue"),
        ("session", "queue"),
        ("duplicate", "entity"),
    )
)

_Change = tuple[str, tuple[Any, ...]]


class SqliteStore:
    """A `Store` in one file, in write-ahead-log mode.

    A commit is in the operating system's hands when it returns, and so survives the end of the process in
    any manner. `fsync` makes it survive a power failure as well, at the price of one disk flush a commit.

    Args:
        path: The file; made with its folder if need be. One process at a time may use it.
        fsync: Wait for the disk at each commit.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._path = path
        self._fsync = fsync
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servicebus-store")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._noted: list[_Change] = []
        self._numbers: dict[str, int] = {}
        # Done when what is noted now, or what is being written, is committed.
        self._next: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._broken: str | None = None

    # Noting

    def put_entity(self, path: str, description: Mapping[str, Any]) -> None:
        self._note(_PUT_ENTITY, path.lower(), json.dumps(description))

    def delete_entity(self, path: str) -> None:
        key = path.lower()
        below = f"{key}/subscriptions/"
        sub_queues = (f"{key}/$deadletterqueue", f"{key}/$transfer/$deadletterqueue")
        for statement in _DELETE_UNDER:
            self._note(statement, key, *sub_queues, len(below), below)
        for queue in list(self._numbers):
            if queue == key or queue in sub_queues or queue.startswith(below):
                del self._numbers[queue]

    def put_message(self, queue: str, message: Message) -> None:
        self._note(_PUT_MESSAGE, queue, message.sequence_number, message_to_json(message), message.body, message.wire)
        self._numbers[queue] = message.sequence_number

    def update_message(self, queue: str, message: Message) -> None:
        self._note(_UPDATE_MESSAGE, message_to_json(message), queue, message.sequence_number)

    def delete_message(self, queue: str, sequence_number: int) -> None:
        self._note(_DELETE_MESSAGE, queue, sequence_number)

    def put_session_state(self, queue: str, session_id: str, state: bytes | None) -> None:
        if state is None:
            self._note(_DELETE_STATE, queue, session_id)
        else:
            self._note(_PUT_STATE, queue, session_id, state)

    def remember_id(self, entity: str, message_id: str, until: datetime) -> None:
        self._note(_REMEMBER, entity, message_id, _text(until))

    def forget_ids(self, entity: str, before: datetime) -> None:
        self._note(_FORGET, entity, _text(before))

    def _note(self, statement: str, *values: Any) -> None:
        if self._broken is not None:
            return
        if self._loop is None:
            raise StoreBroken(f"The message store {self._path} is not open: open the bus with `Bus.open`.")
        self._noted.append((statement, values))
        if self._next is None:
            self._next = self._loop.create_future()
            if self._writing is None:
                # Soon, not now: what belongs together is noted before the loop turns.
                self._loop.call_soon(self._write_noted)

    # Writing

    def _write_noted(self) -> None:
        if self._writing is not None or self._next is None or self._loop is None:
            return
        changes = self._noted
        changes += [(_PUT_SEQUENCE, entry) for entry in self._numbers.items()]
        self._noted, self._numbers = [], {}
        self._writing, self._next = self._next, None
        written = self._loop.run_in_executor(self._thread, self._commit, changes)
        written.add_done_callback(self._written)

    def _written(self, written: asyncio.Future[None]) -> None:
        done, self._writing = self._writing, None
        error = written.exception()
        if error is not None:
            self._broken = (
                f"The message store {self._path} cannot be written ({error}): nothing more is accepted. "
                "Mend the disk and start again; what was acknowledged is kept."
            )
            self._noted, self._numbers = [], {}
            for future in (done, self._next):
                if future is not None and not future.done():
                    future.set_result(None)
            self._next = None
            return
        if done is not None and not done.done():
            done.set_result(None)
        self._write_noted()

    async def flush(self) -> None:
        """Return once everything noted so far is committed. Raises StoreBroken."""
        last = self._next or self._writing
        if last is not None:
            # Shielded: one waiter that is cancelled must not take the others with it.
            await asyncio.shield(last)
        if self._broken is not None:
            raise StoreBroken(self._broken)

    async def close(self) -> None:
        """Flush, close the file and end the thread. Idempotent. Raises StoreBroken."""
        try:
            await self.flush()
        finally:
            if self._loop is not None:
                await self._loop.run_in_executor(self._thread, self._disconnect)
                self._loop = None
                self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self, changes: Sequence[_Change]) -> None:
        connection = self._connection
        if connection is None:
            raise sqlite3.ProgrammingError("the store is closed")
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, group in groupby(changes, itemgetter(0)):
                connection.executemany(statement, (values for _, values in group))
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    # Reading

    async def load(self) -> Snapshot:
        """Open the file and read all of it. Raises StoreBroken if it cannot be used."""
        loop = asyncio.get_running_loop()
        snapshot = await loop.run_in_executor(self._thread, self._open)
        self._loop = loop
        return snapshot

    def _open(self) -> Snapshot:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=1
            )
            # Held until the end of the process: two brokers on one file would undo each other's work.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._fsync else 'NORMAL'}")
            self._prepare(connection)
            return _read(connection)
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            raise StoreBroken(
                f"The message store {self._path} cannot be opened ({error}). Is another broker using it?"
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("COMMIT")
        if version == 0:
            connection.executescript(_SCHEMA)
        elif version != _VERSION:
            self._disconnect()
            raise StoreBroken(
                f"The message store {self._path} has format {version}, this broker writes {_VERSION}: "
                "use the version that wrote it, or another file."
            )


def _read(connection: sqlite3.Connection) -> Snapshot:
    select = connection.execute
    return Snapshot(
        entities={
            path: json.loads(text) for path, text in select("SELECT path, description FROM entity ORDER BY position")
        },
        messages=[
            (queue, message_from_json(fields, number, body, wire))
            for queue, number, fields, body, wire in select(
                "SELECT queue, number, fields, body, wire FROM message ORDER BY queue, number"
            )
        ],
        sequences=dict(select("SELECT queue, number FROM sequence").fetchall()),
        session_states={(queue, name): state for queue, name, state in select("SELECT queue, id, state FROM session")},
        duplicates=[
            (entity, message_id, datetime.fromisoformat(until))
            for entity, message_id, until in select("SELECT * FROM duplicate ORDER BY until")
        ],
    )


def _text(moment: datetime) -> str:
    """Fixed width, so that order as text is order in time."""
    return moment.isoformat(timespec="microseconds")
