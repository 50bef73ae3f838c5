"""The bounds on what a stranger can take of the web server: connections, heads, bodies, log lines."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, cast

from aiohttp import web

from claude_pool_gh.service.server.too_much import TooMuch

HEAD_SECONDS: Final = 10.0
"""For the first request of a connection to say what it wants."""
IDLE_SECONDS: Final = 75.0
"""Between two requests of a connection; proxies keep theirs open for a minute."""
_ROUNDS: Final = 8
"""Of the loop, in which a head that has arrived is read and its request begun."""
_CONNECTIONS: Final = 1_000
_FILES: Final = 65_536
_SMALL: Final = 2**20
_BODIES: Final = 64 * 2**20
_LARGE_BODIES: Final = 48 * 2**20
_NO_ROOM: Final = "too many bytes at once; deliver it again"


def raise_file_limit() -> int:
    """Let the process open as many files as it may; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def connections_for(files: int) -> int:
    """The number of connections that may be open at once, so that most files are left for agents, git and databases."""
    return max(8, min(_CONNECTIONS, files // 4))


@dataclass(slots=True, eq=False)
class Connections:
    """Every open connection, the one whose request is waited for longest first.

    aiohttp knows no limit of their number and none for a request's head. When there are too many, the one that has
    waited longest without a whole request is closed: whoever says what he wants is served, also during a flood, and
    whoever sends a head and then its body byte by byte keeps nobody out.
    """

    most: int
    head_seconds: float = HEAD_SECONDS
    idle_seconds: float = IDLE_SECONDS
    open: dict[asyncio.BaseTransport, _Guarded] = field(default_factory=dict)

    def guard(self, server: web.Server) -> asyncio.Protocol:
        """A protocol for a new connection."""
        return _Guarded(self, server())

    def full(self) -> bool:
        """True where there is no room, after what only waits has made some."""
        if len(self.open) < self.most:
            return False
        waiting = next((each for each in self.open.values() if not each.busy), None)
        if waiting is None:
            return True
        waiting.drop()
        return False

    @web.middleware
    async def middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Note that a connection has a request, for as long as that is answered."""
        guarded = self.open.get(request.transport) if request.transport is not None else None
        if guarded is None:
            return cast("web.StreamResponse", await handler(request))
        guarded.begin(whole=not request.can_read_body)
        try:
            return cast("web.StreamResponse", await handler(request))
        finally:
            guarded.end()

    def came_whole(self, request: web.Request) -> None:
        """Note that a request's body has come: until it is answered, its connection makes room for nobody."""
        if request.transport is not None and request.transport in self.open:
            self.open[request.transport].busy = True


class _Guarded(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's own protocol, and ends what only waits."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections, self._inner = connections, inner
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.Handle | None = None
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._connections.full():
            self._transport.abort()
            self._transport = None
            return
        self._connections.open[transport] = self
        self._wait(self._connections.head_seconds)
        self._inner.connection_made(transport)

    def _wait(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._late, _ROUNDS)

    def _late(self, rounds: int) -> None:
        """Close it, unless what it wants has come while the loop could not look: that shows after some rounds of it."""
        if rounds:
            self._deadline = asyncio.get_running_loop().call_soon(self._late, rounds - 1)
        else:
            self.drop()

    def begin(self, *, whole: bool) -> None:
        """A request's head has come, or all of it. Whoever answers it bounds the time of its body."""
        self.busy = whole
        self._to_the_end()
        if self._deadline is not None:
            self._deadline.cancel()

    def end(self) -> None:
        """A request is answered."""
        self.busy = False
        if self._to_the_end():
            self._wait(self._connections.idle_seconds)

    def _to_the_end(self) -> bool:
        """Count what it waits for from now on; False where it is closed."""
        if self._transport is None or self._connections.open.pop(self._transport, None) is None:
            return False
        self._connections.open[self._transport] = self
        return True

    def drop(self) -> None:
        """Close it without a word."""
        if self._transport is not None:
            self._connections.open.pop(self._transport, None)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._transport is not None:
            self._connections.open.pop(self._transport, None)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class GuardedSite(web.TCPSite):
    """Listens as aiohttp does, with each connection guarded."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, connections: Connections
    ) -> None:
        super().__init__(runner, host, port)
        self._connections, self._at = connections, (host, port)

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        if (server := self._runner.server) is None:
            raise RuntimeError("the runner is not set up")
        guard = self._connections.guard
        self._server = await asyncio.get_running_loop().create_server(
            lambda: guard(server), *self._at
        )


@dataclass(slots=True, eq=False)
class _Coming:
    """A body that is being read. `limit` has no end until the body has to make room for another."""

    limit: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))
    size: int = 0
    gave_way: bool = False

    def check(self) -> None:
        """Raises TooMuch where another has its room."""
        if self.gave_way:
            raise TooMuch(503, _NO_ROOM)


@dataclass(slots=True)
class BodyBudget:
    """The bytes of all bodies that are being read or handled.

    When there is no room, the bodies that have been on their way longest make some: GitHub sends a body at once, so
    whoever sends slowly holds nobody else up. None of them ends in vain, and no small one for a large one.
    """

    held: int = 0
    coming: dict[_Coming, None] = field(default_factory=dict)
    """Those that are being read, the one that began first in front."""

    async def read(self, chunks: AsyncIterable[bytes], most: int) -> bytes:
        """One body. Raises TooMuch. Its bytes are held until `release`.

        Counted is what has come, not what was announced. Large ones leave room for the small ones that most are.
        """
        own, body = _Coming(), bytearray()
        self.coming[own] = None
        try:
            async with own.limit:
                async for chunk in chunks:
                    self._take(own, len(chunk), most)
                    body += chunk
            own.check()
        except BaseException as error:
            self.release(own.size)
            if isinstance(error, TimeoutError):
                own.check()
            raise
        finally:
            del self.coming[own]
        return bytes(body)

    def _take(self, own: _Coming, more: int, most: int) -> None:
        own.check()
        size = own.size + more
        if size > most:
            raise TooMuch(413, "too large")
        room = _BODIES if size <= _SMALL else _LARGE_BODIES
        if (lacking := self.held + more - room) > 0:
            self._make_room(own, size, lacking)
        own.size = size
        self.held += more

    def _make_room(self, own: _Coming, size: int, lacking: int) -> None:
        """End what came before a body and is still on its way. Raises TooMuch where that would not be enough."""
        before = takewhile(lambda each: each is not own, self.coming)
        older = [each for each in before if each.size and (size <= _SMALL or each.size > _SMALL)]
        if sum(each.size for each in older) < lacking:
            raise TooMuch(503, _NO_ROOM)
        enough = self.held - lacking
        for each in takewhile(lambda _: self.held > enough, older):
            self._give_way(each)

    def _give_way(self, other: _Coming) -> None:
        """End the reading of a body, whose bytes are counted no more."""
        self.release(other.size)
        other.size, other.gave_way = 0, True
        other.limit.reschedule(0)

    def release(self, count: int) -> None:
        """The bytes of a body are needed no more."""
        self.held -= count


@dataclass(slots=True)
class LogLimiter:
    """Decides which of the lines that strangers cause are logged: a few a minute, and then how many were left out."""

    most: int = 10
    minute: int = -1
    count: int = 0

    def line(self, text: str, now: float) -> str | None:
        """The line to log, if any."""
        minute, before = int(now // 60), ""
        if minute != self.minute:
            left_out = self.count - self.most
            before = f" ({left_out} more were refused and not logged)" if left_out > 0 else ""
            self.minute, self.count = minute, 0
        self.count += 1
        return text + before if self.count <= self.most else None
