"""Errors that nobody expects: what broke is tried again a few times, and then given up."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from claude_pool_gh.storage import passes, retried

logger = logging.getLogger(__name__)
T = TypeVar("T")

MOST_TROUBLES: Final = 5
"""What broke this often in a row is given up."""
_LONGEST_DELAY: Final = 60.0
_LONGEST_WAIT: Final = 10.0
"""Between two looks whether the database is back."""


async def despite_trouble(
    work: Callable[[], Awaitable[T]],
    subject: str,
    *,
    delay: float,
    but: tuple[type[Exception], ...],
) -> T:
    """The result of some work that is tried again after any error, except for those in `but`, which mean something.

    `delay`: seconds before the second try; doubled before each further one. Errors of the database's that pass do not
    count: they are waited out. Raises the last error.
    """

    def on(error: BaseException) -> bool:
        return isinstance(error, Exception) and not isinstance(error, but)

    async def tried() -> T:
        try:
            return await _waiting_for_the_database(work, delay)
        except Exception as error:
            if on(error):
                logger.exception("trouble", extra={"action": "trouble", "subject": subject})
            raise

    try:
        return await tried()
    except Exception as error:
        if not on(error):
            raise
        failure = error
    return await retried(
        tried,
        failure,
        on=on,
        first_delay=delay,
        longest_delay=_LONGEST_DELAY,
        attempts=MOST_TROUBLES,
    )


async def _waiting_for_the_database(work: Callable[[], Awaitable[T]], delay: float) -> T:
    try:
        return await work()
    except Exception as error:
        if not passes(error):
            raise
        failure = error
    return await retried(work, failure, on=passes, first_delay=delay, longest_delay=_LONGEST_WAIT)
