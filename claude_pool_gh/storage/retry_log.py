"""Retries are told of through `logging`, as everything else is.

`stamina` tells of them through structlog where that is installed, which prints on standard output by itself: past
every level and limit of a server's log, and into what a command of the shell prints for another program.
"""

from __future__ import annotations

from functools import cache


@cache
def log_retries() -> None:
    """Let `stamina` log where it would print; whatever else a host program has made of its hooks stays."""
    from stamina import instrumentation  # noqa: PLC0415 - most processes never retry

    found = instrumentation.get_on_retry_hooks()
    printing = instrumentation.StructlogOnRetryHook.hook_factory.__module__
    instrumentation.set_on_retry_hooks(
        [
            instrumentation.LoggingOnRetryHook if each.__module__ == printing else each
            for each in found
        ]
    )
