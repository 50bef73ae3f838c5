"""The log of a job: one plain line an event, no traceback, nothing that the runner would obey."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stamina import instrumentation

from claude_pool_gh.action import protocol
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.service.log.logs import extras


class _Plain(logging.Formatter):
    """`LEVEL message key=value`, and of an error only its kind. The runner masks what it knows as a secret."""

    _redact = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        told = "".join(f" {name}={value}" for name, value in extras(record).items())
        kind = record.exc_info[0] if record.exc_info else None
        error = f" ({kind.__name__})" if kind is not None else ""
        return protocol.plain(
            self._redact(f"{record.levelname.lower()}: {record.getMessage()}{error}{told}")
        )


@contextmanager
def of_run() -> Iterator[None]:
    """Fold the log of what runs inside, and let the runner obey none of its lines."""
    token = secrets.token_hex(16)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Plain())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # `stamina` would look for structlog, and load it where it is installed
    instrumentation.set_on_retry_hooks([instrumentation.LoggingOnRetryHook])
    protocol.say("::group::Log of the run")
    protocol.say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
        protocol.say(f"::{token}::")
        protocol.say("::endgroup::")
