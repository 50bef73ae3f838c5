"""A wire to a database that a test can cut: a TCP port before PostgreSQL's socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa


@dataclass
class Wire:
    """While it is cut, every connection through it is closed, and every new one too."""

    url: str = ""
    _socket: str = ""
    _whole: bool = True
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        self._whole = False
        for end in list(self._ends):
            end.transport.abort()

    def mend(self) -> None:
        self._whole = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        ends = {writer, server_writer}
        self._ends |= ends
        with suppress(asyncio.CancelledError):  # the test is over
            await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))
        self._ends -= ends


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def wire_to(store: str) -> AsyncIterator[Wire]:
    """A wire to the PostgreSQL of a URL that names its socket's folder; `url` leads through it."""
    url = sa.make_url(store)
    (path,) = (
        each for each in Path(str(url.query["host"])).glob(".s.PGSQL.*") if each.suffix != ".lock"
    )
    wire = Wire(_socket=str(path))
    server = await asyncio.start_server(wire._serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = url.set(host="127.0.0.1", port=port, query={})
    wire.url = through.render_as_string(hide_password=False)
    try:
        yield wire
    finally:
        wire.cut()
        server.close()
