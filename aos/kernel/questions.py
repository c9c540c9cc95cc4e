"""Questions that messages are set aside for: how long they wait, a reminder, and what follows without an answer.

A question with an end has one scheduled message of its agent to itself at a time: first for the reminder, then for
the end. One that comes for a question answered before, or asked anew since, is of no account.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aos.kernel.errors import NeedsAnswer, QuestionExpired
from aos.kernel.message import Message, format_time, parse_time
from aos.kernel.settings import QuestionTerms
from aos.kernel.turn import QUESTION_TYPE, QUESTIONS_TOPIC, Turn

CHECK_TYPE = "aos.question.check"
REMINDER_TYPE = "aos.question.reminder"
PARKED = "parked"
CLOSED = "question.closed"


def parked_record(message: Message, error: NeedsAnswer, terms: QuestionTerms, now: datetime) -> dict[str, Any]:
    """What the head keeps of a message that is set aside."""
    record: dict[str, Any] = {
        "message": message.to_json(),
        "question": error.to_json(),
        "since": format_time(now),
    }
    seconds = terms.seconds if error.expires_after is None else error.expires_after.total_seconds()
    if seconds > 0:
        record["expires"] = format_time(now + timedelta(seconds=seconds))
    return record


def announce(turn: Turn, record: Mapping[str, Any], terms: QuestionTerms) -> None:
    """Tell people of a question, and see that it is looked at again when it is due."""
    turn.publish(QUESTIONS_TOPIC, QUESTION_TYPE, _told(turn, record))
    if "expires" not in record:
        return
    expires = parse_time(record["expires"])
    notice = expires - timedelta(seconds=terms.notice)
    remind = terms.notice > 0 and notice > turn.now
    _check_at(turn, record, notice if remind else expires, last=not remind)


def remind(turn: Turn, record: Mapping[str, Any]) -> None:
    """Tell people again of a question that is about to expire, and come back when it does."""
    turn.publish(QUESTIONS_TOPIC, REMINDER_TYPE, _told(turn, record))
    _check_at(turn, record, parse_time(record["expires"]), last=True)


def is_check(message: Message, agent: str) -> bool:
    return message.type == CHECK_TYPE and message.source == agent


def looked_for(check: Message, parked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of the question that a check is for; None where it was answered, or asked anew."""
    record: dict[str, Any] | None = parked.get(check.data["question"])
    return record if record is not None and record.get("expires") == check.data["expires"] else None


def default_answer(record: Mapping[str, Any]) -> Any:
    """The answer that counts where nobody gives one; None where the question has none."""
    return record["question"]["details"].get("default_answer")


def expired(record: Mapping[str, Any]) -> QuestionExpired:
    """Why a message is given up whose question nobody answered."""
    question = record["question"]
    return QuestionExpired(
        f"Nobody answered by {record['expires']}. Send the dead letter again to have it asked anew. The question was: "
        f"{question['message']}",
        details={"question": question["details"]["question"], "asked": question, "since": record["since"]},
    )


def _told(turn: Turn, record: Mapping[str, Any]) -> dict[str, Any]:
    told = {"agent": turn.agent, **record["question"]}
    return {**told, "expires": record["expires"]} if "expires" in record else told


def _check_at(turn: Turn, record: Mapping[str, Any], at: datetime, *, last: bool) -> None:
    data = {"question": record["question"]["details"]["question"], "expires": record["expires"], "last": last}
    turn.send(turn.agent, CHECK_TYPE, data, at=at)
