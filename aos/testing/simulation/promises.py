"""What must hold after every run, whatever the agents do: nothing lost, nothing doubled, in order, all on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aos.kernel.journal import row_key as journal_row
from aos.kernel.message import Message
from aos.kernel.ports import Entity
from aos.kernel.steps import row_prefix as step_prefix
from aos.kernel.turn import TAKE_UP_TYPE, TIMEOUT_TYPE
from aos.testing.simulation.scene import INBOX
from aos.testing.simulation.workload import Ending, Workload

_KEPT_FOR_LATER = ("held", "aside")
_SETTLED = ("applied", "dead", "retried")
_CODES_OF_NOBODY = ("delivery_failed", "unknown_agent_type")


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message as its journals tell of it."""

    key: str
    to: str
    may_be_ignored: bool
    in_line: bool = True


def nothing_doubled(ending: Ending) -> Iterator[str]:
    """Each delivery of each message was settled once in the agent's life."""
    for agent, entries in ending.journals.items():
        settled = Counter(
            _key(record["message"]) for entry in entries for record in entry.received if record["outcome"] in _SETTLED
        )
        yield from (f"{agent} took {key!r} {times} times" for key, times in settled.items() if times > 1)


def nothing_lost(ending: Ending, posted: Sequence[Message]) -> Iterator[str]:
    """Whatever was sent to an agent was dealt with in its journal, or is in the dead-letter store."""
    taken = {
        (agent, _key(record["message"]))
        for agent, entries in ending.journals.items()
        for entry in entries
        for record in entry.received
        if record["outcome"] not in _KEPT_FOR_LATER
    }
    taken |= {(letter.agent, _key(letter.message)) for letter in ending.letters if letter.message is not None}
    for letter in [*_posted(posted), *_sent(ending)]:
        if (letter.to, letter.key) not in taken and not letter.may_be_ignored:
            yield f"{letter.key!r} never reached {letter.to}"


def order_kept(ending: Ending, posted: Sequence[Message]) -> Iterator[str]:
    """What one sender sent to one agent was received in that order, but for what was given up."""
    lines: dict[tuple[str, str], list[str]] = {}
    given_up = {_key(letter.message) for letter in ending.letters if letter.message is not None}
    for letter in [*_posted(posted), *_sent(ending)]:
        if letter.in_line and letter.key not in given_up:
            lines.setdefault((letter.key.partition("\n")[0], letter.to), []).append(letter.key)
    for (source, to), keys in lines.items():
        number = {key: at for at, key in enumerate(keys)}
        received = [
            number[key]
            for key in dict.fromkeys(
                _key(record["message"]) for entry in ending.journals.get(to, ()) for record in entry.received
            )
            if key in number
        ]
        if received != sorted(received):
            yield f"{to} received what {source} sent in another order: {received}"


def rows_left_over(ending: Ending, rows: Sequence[Entity], windows: Counter[str]) -> Iterator[str]:
    """Nothing is held back, and no step of a message that is done was left; those of a dead letter are kept.

    A row that was written after its message was done, by an instance that had been outlived or by a request that had
    timed out, is nobody's any more. Such rows are counted in `windows`.
    """
    written = {(row.partition, row.row): _write_number(row) for row in rows}
    done: dict[tuple[str, str], int] = {}
    kept = {
        (letter.agent, step_prefix(Message.from_json(dict(letter.message))))
        for letter in ending.letters
        if letter.message is not None and letter.id not in ending.resubmitted
    }
    for agent, entries in ending.journals.items():
        for entry in entries:
            for record in entry.received:
                if record["outcome"] == "applied":
                    prefix = step_prefix(Message.from_json(record["message"]))
                    done[agent, prefix] = written[agent, journal_row(entry.version)]
    for row in rows:
        owner = (row.partition, row.row[: row.row.find(":", 2) + 1])
        settled = done.get(owner)
        if owner in kept:
            continue
        if row.row.startswith("s:") and settled is not None and _write_number(row) > settled:
            windows["step rows written after their message was done"] += 1
        elif row.row.startswith(("s:", "w:", "p:")):
            yield f"row {row.row} of {row.partition} was left"


def dead_letters_accounted_for(ending: Ending, workload: Workload) -> Iterator[str]:
    """Every message that was given up is in the store, and nothing else is."""
    stored = {letter.id for letter in ending.letters}
    recorded = {record["id"] for entries in ending.journals.values() for entry in entries for record in entry.dead}
    yield from (f"dead letter {id_} is in a journal and not in the store" for id_ in sorted(recorded - stored))
    for letter in ending.letters:
        code = letter.error["code"]
        if letter.id not in recorded and code not in _CODES_OF_NOBODY:
            yield f"dead letter {letter.id} is in the store and in no journal"
        if code != "delivery_failed" and not workload.acceptable(letter):
            yield f"{letter.agent} should not have given up {letter.message}: {letter.error['message']}"


def _write_number(row: Entity) -> int:
    """The store in memory numbers its writes."""
    return int((row.etag or "").strip('W/"'))


def _posted(posted: Sequence[Message]) -> Iterator[_Letter]:
    for message in posted:
        yield _Letter(message.dedupe_key, message.to, may_be_ignored=False)


def _sent(ending: Ending) -> Iterator[_Letter]:
    for entries in ending.journals.values():
        for entry in entries:
            yield from (_letter(record) for record in entry.sent if record["entity"] == INBOX)


def _letter(record: Mapping[str, Any]) -> _Letter:
    body = record["body"]
    reminder = str(body.get("subject", "")).startswith("reminder:")
    # What comes too late is passed over without a turn: a timeout after the reply, a reminder that was moved, a
    # take-up that a later order has replaced.
    late = reminder or body["type"] in (TIMEOUT_TYPE, TAKE_UP_TYPE) or "correlationid" in body
    # Only the newest take-up counts, whenever it comes.
    in_line = "at" not in record and body["type"] != TAKE_UP_TYPE
    return _Letter(_key(body), body["to"], may_be_ignored=late, in_line=in_line)


def _key(envelope: Mapping[str, Any]) -> str:
    return f"{envelope['source']}\n{envelope['id']}\n{envelope.get('attempt', 1)}"
