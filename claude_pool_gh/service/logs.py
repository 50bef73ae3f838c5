"""The log of a server: one line an event, with the ids that join a delivery, its command, its chain and its effects."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Final, Literal

Format = Literal["text", "json"]

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; whatever else it has was passed as `extra`."""
_LINE_LIMIT: Final = 2_000


def configure(form: Format = "text", level: str = "INFO") -> None:
    """Log to standard error from now on, in this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def one_line(text: str) -> str:
    """A text that others may have written, as one line of a log: no control characters, no second line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:_LINE_LIMIT]).split())


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """The ids and figures of a record, in the order in which they were given; empty ones are left out."""
    given = {name: value for name, value in vars(record).items() if name not in _OWN}
    return {name: value for name, value in given.items() if value not in (None, "")}


class _Text(logging.Formatter):
    """`TIME LEVEL logger: message key=value ...`, and a traceback below it where there is one."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        record.message = one_line(record.message)
        told = "".join(f" {name}={_value(value)}" for name, value in extras(record).items())
        return super().formatMessage(record) + told


class _Json(logging.Formatter):
    """The same as one JSON object a line."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": one_line(record.getMessage()),
            **{
                name: one_line(str(value)) if isinstance(value, str) else value
                for name, value in extras(record).items()
            },
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def _value(value: Any) -> str:
    text = one_line(str(value))
    return (
        json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "=') else text
    )
