"""Watches every request of a process to GitHub: how it was answered, and since when it is not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from claude_pool_gh.service.monitoring.clock_skew import told_in

_KNOWN_SECONDS: Final = 900.0
"""For so long what was seen counts: a server that nobody sends anything to, since it is not ready, asks nothing."""


@dataclass(slots=True)
class GitHubWatch:
    """The outcomes of the requests so far. Moments are seconds of `clock`."""

    clock: Callable[[], float] = time.monotonic
    root: str = ""
    """The path of the API itself, such as `/api/v3`."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often each HTTP status was answered with; `unreachable` where there was no answer."""
    rate_limit: int | None = None
    """Requests that were left of the hour's when GitHub last said so."""
    failing_since: float | None = None
    """Since when no request was answered, or only with a server's error; None while they are."""
    failed: float | None = None
    """When one last was not."""
    key_refused: float | None = None
    """When GitHub last did not accept the App's own key; None since it has."""
    time_of_day: Callable[[], float] = time.time
    ahead_of: float | None = None
    """Seconds by which GitHub's time of day is ahead of `clock`, as its last answer told."""

    @classmethod
    def of(cls, api_url: str) -> GitHubWatch:
        """A watch of the requests to the API at an address."""
        return cls(root=urlsplit(api_url).path.rstrip("/"))

    def trace(self) -> aiohttp.TraceConfig:
        """For the session whose requests are to be watched."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._answered)
        config.on_request_exception.append(self._failed)
        return config

    async def _answered(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        told: aiohttp.TraceRequestEndParams,
    ) -> None:
        status = told.response.status
        left = told.response.headers.get("x-ratelimit-remaining", "")
        self.note(status, told.url.path, int(left) if left.isdecimal() else None)
        if (then := told_in(told.response.headers)) is not None:
            self.ahead_of = then - self.clock()

    async def _failed(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        _told: aiohttp.TraceRequestExceptionParams,
    ) -> None:
        self.note(None, "", None)

    def note(self, status: int | None, path: str, left: int | None) -> None:
        """Note an answer: its status, None where there was none, the path, and what is left of the rate limit."""
        self.answers["unreachable" if status is None else str(status)] += 1
        if status is None or status >= 500:
            self.failed = self.clock()
            self.failing_since = self.failed if self.failing_since is None else self.failing_since
            return
        self.failing_since = None
        self.rate_limit = self.rate_limit if left is None else left
        # A repository or a file may be called `app` too: it is asked for with another token.
        if f"{path}/".startswith(f"{self.root}/app/"):
            self.key_refused = self.clock() if status == 401 else None

    def is_away(self, seconds: float) -> bool:
        """True where no request was answered for so long. One that failed long ago tells nothing of the moment."""
        if self.failing_since is None or self.failed is None:
            return False
        now = self.clock()
        return now - self.failing_since > seconds and now - self.failed < _KNOWN_SECONDS

    def clock_skew(self) -> float | None:
        """Seconds by which this machine's clock differs from GitHub's, also where it was set since that answered.

        None where no answer has told GitHub's time yet: that is no sign of a right clock.
        """
        if self.ahead_of is None:
            return None
        return abs(self.time_of_day() - (self.clock() + self.ahead_of))

    def is_key_refused(self) -> bool:
        """True where GitHub refuses the App's key, as far as that was seen lately."""
        return self.key_refused is not None and self.clock() - self.key_refused < _KNOWN_SECONDS
