"""One run's way through the gateway: what it may ask, and what became of what it asked."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from claude_pool_gh.agent.counted import Counts

PLACEHOLDER_KEY: Final = "held-by-the-gateway"
"""What an agent has in place of the API's key."""
UNWANTED: Final = 1.0
"""Seconds that open answers are read on when nobody wants the run any more."""

_CHECK_SECONDS: Final = 30.0
"""A CLI that has not said by then what it runs with does not say it before its first request."""

Verdict = Literal[
    "budget", "model", "request", "quota", "overload", "key", "credit", "unknown_model"
]
OPERATOR: Final[frozenset[str]] = frozenset({"key", "credit", "unknown_model"})
"""Verdicts that stay until whoever runs this server changes something."""


@dataclass(slots=True)
class SignsOfLife:
    """The time at which a run was last heard of by way of the model's API, by the monotonic clock."""

    work: float = field(default_factory=time.monotonic)
    """The last piece of an answer."""
    ping: float = field(default_factory=time.monotonic)
    """The last sign that the API still has the request."""
    waiting: int = 0
    """Requests that wait for an API that is overloaded or not there. That has its own limit, so it is no silence."""

    def heard(self, *, work: bool) -> None:
        """Bytes have come."""
        self.ping = time.monotonic()
        if work:
            self.work = self.ping

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Wait for the API."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
            self.heard(work=True)


@dataclass(slots=True)
class Pass:
    """One run's way through the gateway. `verdict` is why the gateway refused it, if it did."""

    run_id: str
    models: frozenset[str]
    most: int | None = None
    """Microdollars up to which the run's money may grow as it is needed; None: it has what was set aside for it."""
    step: int | None = None
    """Microdollars that all runs of its step may come to together."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verdict: Verdict | None = None
    detail: str = ""
    trouble: str = ""
    """What the model's API last said instead of an answer, in our words."""
    short: int = 0
    """Microdollars that the run would have had to have in all to make the request for which its money did not reach."""
    answers: set[asyncio.Task[None]] = field(default_factory=set)
    unknown: bool = False
    """Whether an answer broke off, so that it counts at its worst case."""
    read_on: float = 0.0
    """Seconds that answers still open at the run's end are read on."""
    signs: SignsOfLife = field(default_factory=SignsOfLife)
    counts: Counts = field(default_factory=Counts)
    turns: int = 0
    """Answers that the agent itself, not one that it started, has got."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    unchecked: bool = False
    """Whether nobody has seen yet what the CLI runs with: until then nothing that costs money is asked."""
    checked: asyncio.Event = field(default_factory=asyncio.Event)

    async def is_checked(self) -> bool:
        """Wait until it is known what the CLI runs with; False where its run ends before, since it was not to be."""
        if not self.unchecked:
            return True
        signs = [asyncio.create_task(event.wait()) for event in (self.checked, self.over)]
        try:
            await asyncio.wait(signs, timeout=_CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for sign in signs:
                sign.cancel()
        return not self.over.is_set()

    def hurry(self, seconds: float = UNWANTED) -> None:
        """Nobody wants the run any more: it ends soon, not when its last answer does."""
        self.read_on = min(self.read_on, seconds)

    def refuse(self, verdict: Verdict, detail: str) -> None:
        """Note the first reason for which the run cannot go on."""
        if self.verdict is None:
            self.verdict, self.detail = verdict, detail


class RunAdmission(Protocol):
    """Lets runs through to the model's API; see `Gateway`."""

    def admit(
        self,
        run_id: str,
        models: frozenset[str],
        most: int | None = None,
        *,
        step: int | None = None,
    ) -> AbstractAsyncContextManager[tuple[Pass, str]]:
        """Let a run through while the block lasts; gives its pass and its base URL."""
        ...
