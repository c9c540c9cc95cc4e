"""Structured logs: one JSON object a line, with the ids of the work it belongs to and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from aos.telemetry.correlation import current
from aos.telemetry.redaction import redact, redact_text

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact_text(record.getMessage()),
            **current(),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if extra:
            line |= redact(extra)
        if record.exc_info:
            line["exception"] = redact_text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Write the logs of AOS as JSON lines.

    Inside a Functions worker, which ships what reaches its root handlers, those handlers get the format; anywhere
    else, or where a stream is given, the lines go to that stream (standard error by default).
    """
    logger = logging.getLogger("aos")
    logger.setLevel(level.upper())
    for old in logger.handlers[:]:
        logger.removeHandler(old)
    root_handlers = logging.getLogger().handlers
    logger.propagate = stream is None and bool(root_handlers)
    if logger.propagate:
        for existing in root_handlers:
            existing.setFormatter(JsonFormatter())
        return
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
