"""Keeps what another's code raises to the call that was made of it.

Some exceptions end more than the code that raises them: the whole program, or, as a cancel, whoever awaits it. One that
passed through a chain's carrier would leave the chain unfinished, to be taken up and paid for again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class EndedItself(Exception):
    """A call of another's code ended by an exception that was meant for more than itself; its text says how."""

    def __init__(self, how: str, *, again: bool = True) -> None:
        """`again`: whether another try may end otherwise."""
        super().__init__(how)
        self.again = again


CANCELLED = "ended itself by a cancel"


@contextmanager
def contained() -> Iterator[None]:
    """Raise EndedItself in place of exceptions that are no `Exception`.

    But for a cancel of the task that runs this, and Ctrl-C.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except asyncio.CancelledError:
        if (own := asyncio.current_task()) is not None and own.cancelling():
            raise
        raise EndedItself(CANCELLED) from None
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        raise EndedItself(f"called sys.exit({code})", again=False) from None
    except BaseException as error:
        raise EndedItself(f"raised {type(error).__name__}: {error}") from error
