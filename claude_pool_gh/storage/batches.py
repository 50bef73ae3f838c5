"""Takes what waits for the one writing thread together, so that many small transactions cost one commit.

Each of them stays what it was: it is committed whole, or raises its own error. They are answered when all of them are
durable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

C = TypeVar("C")

LEAST: Final = 8
"""Transactions that wait before any are taken together: a few are soon made one by one, and cannot cost each other a
second try."""
MOST: Final = 100
"""Transactions in one commit: those after them do not wait for more."""


@dataclass(frozen=True, slots=True)
class Together(Generic[C]):
    """The ways in which calls are made: several in one transaction, or one alone."""

    several: Callable[[Sequence[C]], Sequence[Any] | None]
    """Their answers in their order; None where they are to be made one by one. Raises what all of them failed of."""
    alone: Callable[[C], Any]


@dataclass(slots=True)
class Batches(Generic[C]):
    """The calls that wait for one thread."""

    thread: ThreadPoolExecutor
    made: Together[C]
    _waiting: deque[tuple[C, Future[Any]]] = field(default_factory=deque)

    def submit(self, call: C) -> Future[Any]:
        """Let a call be made, with others that wait. Cancelled before its turn, it is not made. From any thread."""
        future: Future[Any] = Future()
        self._waiting.append((call, future))
        self.thread.submit(self._make)
        return future

    def _make(self) -> None:
        """Make the calls that have waited longest. Runs once for each call, so none is left."""
        taken: list[tuple[C, Future[Any]]] = []
        most = MOST if len(self._waiting) >= LEAST else 1
        while self._waiting and len(taken) < most:
            call, future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                taken.append((call, future))
        if len(taken) > 1:
            try:
                answers = self.made.several([call for call, _ in taken])
            except BaseException as error:  # noqa: BLE001 - it is raised where each was asked for
                for _, future in taken:
                    future.set_exception(error)
                return
            if answers is not None:
                for (_, future), answer in zip(taken, answers, strict=True):
                    future.set_result(answer)
                return
        for call, future in taken:
            try:
                future.set_result(self.made.alone(call))
            except BaseException as error:  # noqa: BLE001 - the same
                future.set_exception(error)
