"""One line an event: time, level, logger, message, then the facts as `name=value`."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """Formats a record, its `extra` and its exception as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Line breaks in the text are escaped."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        parts = [f"{moment}Z {record.levelname.lower():<8} {record.name}: {record.getMessage()}"]
        parts += [f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD]
        if record.exc_info:
            parts.append(f"error={self.formatException(record.exc_info)}")
        return " ".join(parts).replace("\n", "\\n")


def log_to_stderr(level: int) -> None:
    """Give the process one log: what the host, the app and their libraries have to say, in lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("aos", "function_app"):
        logging.getLogger(name).setLevel(level)
