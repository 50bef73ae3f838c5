"""The log of a process: one line an event, with the names that join a delivery, its command, its chain and its effects.

Every part logs with the standard library, with ids and figures as `extra`; structlog makes the lines of them. A line
that knows a chain or a run is completed with its thread, verb and user; one in the course of a command has that
command's. A database that is away, and a full disk, are told in a line without a traceback. No line holds a secret of
this process, whoever wrote it: an error of a library names the address that it failed at, and the login in it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from claude_pool_gh.service.log.log_floods import SparingHandler
from claude_pool_gh.service.log.log_names import NAMES
from claude_pool_gh.service.log.outages import outage
from claude_pool_gh.terms import log_context

if TYPE_CHECKING:
    from structlog.types import Processor

Format = Literal["text", "json"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Event = MutableMapping[str, Any]
"""What structlog's processors pass on: the fields of one line."""

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; whatever else it has was passed as `extra`."""
_LINE_LIMIT: Final = 2_000
_HEAD: Final = ("time", "level", "logger", "message")
_FIRST: Final = (
    *("action", "where", "command", "chain", "verb", "user", "step", "run"),
    *("outcome", "reason", "error", "usd", "ms", "do"),
)
"""The order of the fields that most lines have; others follow."""
_TRACEBACK: Final = "traceback"


def configure(
    form: Format = "text",
    level: Level = "INFO",
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Log to a stream, else to standard error, from now on, in this process, and none of its secrets."""
    handler = SparingHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_WhenNeeded(form, secrets))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("asyncio").addFilter(_is_of_use)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # How a retried call ends is told by whoever made it.
    logging.getLogger("stamina").setLevel(logging.WARNING if level == "DEBUG" else logging.ERROR)


def _is_of_use(record: logging.LogRecord) -> bool:
    """False for asyncio's line about a process that ended in the moment in which it was given up, as after Ctrl-C."""
    said = str(record.msg)
    return not said.startswith("Unknown child process") and "exit status already read" not in said


def one_line(text: str) -> str:
    """A text that others may have written, as one line of a log: no control characters, no second line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:_LINE_LIMIT]).split())


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """The ids and figures of a record, in the order in which they were given; empty ones are left out."""
    given = {name: value for name, value in vars(record).items() if name not in _OWN}
    return {name: value for name, value in given.items() if value not in (None, "")}


class _WhenNeeded(logging.Formatter):
    """structlog's formatter, made when the first line is written: most commands of a shell write none."""

    def __init__(self, form: Format, secrets: Iterable[str]) -> None:
        super().__init__()
        self._form: Format = form
        self._secrets = secrets
        self._made: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._made is None:
            from claude_pool_gh.reports.redact import Redactor  # noqa: PLC0415 - as structlog

            self._made, self._redact = _formatter(self._form), Redactor(self._secrets)
        return self._redact(self._made.format(record))


def _formatter(form: Format) -> logging.Formatter:
    import structlog  # noqa: PLC0415 - 20 ms that a command without a log saves

    before: list[Processor] = [
        _with_context,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True, key="time"),
    ]
    render: Processor = _as_text
    if form == "json":
        render = structlog.processors.JSONRenderer(default=str)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _with_names,
            _without_traceback,
            structlog.processors.format_exc_info,
            _in_order,
            render,
        ],
    )


def _with_context(_logger: object, _method: str, event: Event) -> Event:
    """Add what every line has in the course of a command; what a line says of itself goes before."""
    return {**log_context.names(), **event}


def _with_names(_logger: object, _method: str, event: Event) -> Event:
    """Complete what knows a chain, a run or an effect of a chain with its thread, verb and user."""
    given = {name: value for name, value in event.items() if value not in (None, "")}
    for chain in _chains_in(given):
        if names := NAMES.of(chain):
            # A thread says more than the repository alone.
            where = names.get("where", given.get("where", ""))
            return {"chain": chain, **names, **given, "where": where}
    return event


def _chains_in(event: Event) -> Iterator[str]:
    """The texts in a line's fields that may be a chain's id: runs begin with it, keys of effects hold it."""
    for name in ("chain", "run", "task", "subject"):
        if name in event:
            yield str(event[name]).partition(".")[0]
    yield from str(event.get("key", "")).split(":")


def _without_traceback(_logger: object, _method: str, event: Event) -> Event:
    """An error that only the operator can mend, and everybody knows, in one line with what to do."""
    given = event.get("exc_info")
    error = given[1] if isinstance(given, tuple) else given
    if not isinstance(error, BaseException) or (told := outage(error)) is None:
        return event
    rest = {name: value for name, value in event.items() if name != "exc_info"}
    return {**rest, "error": told.error, "do": told.do}


def _in_order(_logger: object, _method: str, event: Event) -> Event:
    """The head, the usual fields, the others, a traceback last; empty ones left out, each text one line."""
    found: dict[str, Any] = {
        "time": event.pop("time"),
        "level": str(event.pop("level")).upper(),
        "logger": event.pop("logger"),
        "message": one_line(str(event.pop("event"))),
    }
    traceback = event.pop("exception", None)
    for name in (*_FIRST, *event):
        value = event.get(name)
        if name not in found and value not in (None, ""):
            found[name] = one_line(value) if isinstance(value, str) else value
    return found | ({_TRACEBACK: traceback} if traceback else {})


def _as_text(_logger: object, _method: str, event: Event) -> str:
    """`TIME LEVEL logger: message key=value ...`, and a traceback below it where there is one."""
    fields = "".join(
        f" {name}={_value(value)}"
        for name, value in event.items()
        if name not in (*_HEAD, _TRACEBACK)
    )
    line = f"{event['time']} {event['level']} {event['logger']}: {event['message']}{fields}"
    return f"{line}\n{event[_TRACEBACK]}" if _TRACEBACK in event else line


def _value(value: object) -> str:
    text = one_line(str(value))
    return (
        json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "=') else text
    )
