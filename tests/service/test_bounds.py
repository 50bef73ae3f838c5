"""A stranger who connects, and says little or much, keeps nobody else out."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from claude_pool_gh.service.server.bounds import (
    BodyBudget,
    Connections,
    GuardedSite,
    LogLimiter,
    connections_for,
    raise_file_limit,
)
from claude_pool_gh.service.server.too_much import TooMuch
from tests.patience import PATIENCE

HALF = b"POST /webhook HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def listening(
    connections: Connections, go_on: asyncio.Event | None = None
) -> AsyncIterator[int]:
    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def slow(_request: web.Request) -> web.Response:
        assert go_on is not None
        await go_on.wait()
        return web.Response(text="late")

    async def body(request: web.Request) -> web.Response:
        text = await request.text()
        connections.came_whole(request)
        if go_on is not None:
            await go_on.wait()
        return web.Response(text=text)

    app = web.Application(middlewares=[connections.middleware])
    app.router.add_get("/healthz", healthz)
    app.router.add_post("/body", body)
    app.router.add_get("/slow", slow)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await GuardedSite(runner, "127.0.0.1", 0, connections).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def healthy(port: int) -> bool:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        session.get(f"http://127.0.0.1:{port}/healthz") as response,
    ):
        return await response.text() == "ok"


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def half(port: int) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HALF)
    await writer.drain()
    return reader, writer


async def ended(streams: Streams, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await streams[0].read() == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async with listening(Connections(100, head_seconds=0.3)) as port:
        began = asyncio.get_running_loop().time()
        assert await ended(await half(port), PATIENCE)
        assert asyncio.get_running_loop().time() - began > 0.2
        assert await healthy(port)


async def test_a_head_that_came_while_the_server_could_not_look_is_answered() -> None:
    connections = Connections(100, head_seconds=0.2)
    async with listening(connections) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            while not connections.open:
                await asyncio.sleep(0)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            time.sleep(0.3)
            answer = await asyncio.to_thread(client.recv, 100)
        assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_a_connection_without_requests_is_not_kept_for_ever() -> None:
    connections = Connections(100, head_seconds=5, idle_seconds=0.3)
    async with listening(connections) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\nok")
        assert await ended((reader, writer), PATIENCE)
        assert connections.open == {}


async def test_a_flood_of_connections_that_say_nothing_keeps_nobody_out() -> None:
    connections = Connections(8, head_seconds=60)
    async with listening(connections) as port:
        silent = [await half(port) for _ in range(40)]
        assert await healthy(port)
        assert len(connections.open) <= 8
        gone = await asyncio.gather(*(ended(each, 0.5) for each in silent))
        assert sum(gone) >= 32
        assert not all(gone)


async def test_who_is_being_served_is_not_closed_for_who_comes_later() -> None:
    go_on = asyncio.Event()
    async with listening(Connections(2), go_on) as port, aiohttp.ClientSession() as session:
        asked = [
            asyncio.create_task(session.get(f"http://127.0.0.1:{port}/slow")) for _ in range(2)
        ]
        await asyncio.sleep(0.3)
        with pytest.raises(aiohttp.ClientError):
            await healthy(port)
        go_on.set()
        assert [await (await each).text() for each in asked] == ["late", "late"]
        await session.close()
        assert await healthy(port)


async def head_only(port: int) -> Streams:
    """A stranger who says that a body will come, and sends none of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    await writer.drain()
    return reader, writer


async def test_a_flood_of_requests_whose_bodies_do_not_come_keeps_nobody_out() -> None:
    async with listening(Connections(8, head_seconds=60)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # the oldest, and in use
        slow = []
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\nok")
            slow += [await head_only(port) for _ in range(5)]
            assert await healthy(port)
        gone = await asyncio.gather(*(ended(each, 0.5) for each in slow))
        assert gone == sorted(gone, reverse=True), "who has been waited for longest goes first"
        assert 8 <= sum(gone) < len(gone)
        for each in (writer, *(streams[1] for streams in slow)):
            each.close()


async def test_whose_body_has_come_is_not_closed_for_who_comes_later() -> None:
    go_on = asyncio.Event()
    async with listening(Connections(2), go_on) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/body"
        asked = [asyncio.create_task(session.post(url, data=b"9 letters")) for _ in range(2)]
        await asyncio.sleep(0.3)
        with pytest.raises(aiohttp.ClientError):
            await healthy(port)
        go_on.set()
        assert [await (await each).text() for each in asked] == ["9 letters", "9 letters"]


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


MIB = 2**20


async def test_bodies_are_bounded_one_by_one_and_together() -> None:
    bodies = BodyBudget()
    assert await bodies.read(chunks(3, 4), 10) == b"x" * 7
    assert bodies.held == 7
    bodies.release(7)
    with pytest.raises(TooMuch) as refused:
        await bodies.read(chunks(3, 8), 10)
    assert (refused.value.status, bodies.held) == (413, 0)
    large = [await bodies.read(chunks(*[MIB] * 10), 10 * MIB) for _ in range(4)]
    with pytest.raises(TooMuch) as refused:
        await bodies.read(chunks(*[MIB] * 10), 10 * MIB)
    assert (refused.value.status, bodies.held) == (503, 40 * MIB)
    # The many small ones, which most deliveries are, still find room.
    small = [await bodies.read(chunks(MIB), 10 * MIB) for _ in range(20)]
    for each in (*large, *small):
        bodies.release(len(each))
    assert bodies.held == 0


async def slowly(size: int, go_on: asyncio.Event) -> AsyncIterator[bytes]:
    """All of a body but its last byte."""
    yield b"x" * (size - 1)
    await go_on.wait()
    yield b"x"


async def test_bodies_that_come_slowly_make_room_for_those_that_come_at_once() -> None:
    bodies, go_on = BodyBudget(), asyncio.Event()
    slow = [
        asyncio.create_task(bodies.read(slowly(size, go_on), 10 * MIB))
        for size in [10 * MIB] * 4 + [MIB] * 23
    ]
    await asyncio.sleep(0.01)
    assert bodies.held == 63 * MIB - len(slow)
    for size in (MIB, 10 * MIB, 3):
        assert len(await bodies.read(chunks(size), 10 * MIB)) == size
        bodies.release(size)
    go_on.set()
    ends = await asyncio.gather(*slow, return_exceptions=True)
    gave_way = [isinstance(end, TooMuch) and end.status == 503 for end in ends]
    assert gave_way == sorted(gave_way, reverse=True), "those on their way longest, and no more"
    assert 1 <= sum(gave_way) < 4
    assert bodies.held == sum(len(end) for end in ends if isinstance(end, bytes))
    assert bodies.coming == {}


async def test_nobody_gives_way_in_vain_nor_a_small_one_to_a_large_one() -> None:
    bodies, go_on = BodyBudget(), asyncio.Event()
    held = [await bodies.read(chunks(size * MIB), 10 * MIB) for size in (9, 9, 9, 9, 9, 1)]

    async def coming(*sizes: int) -> list[asyncio.Task[bytes]]:
        begun = [asyncio.create_task(bodies.read(slowly(size, go_on), 10 * MIB)) for size in sizes]
        await asyncio.sleep(0.01)
        return begun

    slow = await coming(*[8_000] * 5)
    with pytest.raises(TooMuch):  # it lacks the 40 kB of the small ones
        await bodies.read(chunks(2 * MIB), 10 * MIB)
    bodies.release(len(held.pop()))
    slow += await coming(2 * MIB)
    with pytest.raises(TooMuch):  # it lacks more than the 2 MiB of the large one
        await bodies.read(chunks(4 * MIB), 10 * MIB)
    go_on.set()
    assert [len(each) for each in await asyncio.gather(*slow)] == [8_000] * 5 + [2 * MIB]
    assert bodies.held == 47 * MIB + 5 * 8_000


async def test_who_gives_way_is_told_so_by_nobody_s_timeout_but_its_own() -> None:
    """Whoever bounds the time of a body still hears that it is over, also while others give way."""
    bodies, never = BodyBudget(), asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bodies.read(slowly(5, never), 10)
    assert (bodies.held, bodies.coming) == (0, {})


async def test_a_body_that_breaks_off_holds_nothing() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise ConnectionResetError

    bodies = BodyBudget()
    with contextlib.suppress(ConnectionResetError):
        await bodies.read(broken(), 1000)
    assert bodies.held == 0


def test_what_strangers_cause_is_logged_a_few_times_a_minute() -> None:
    sparing = LogLimiter()
    assert [sparing.line("no", 60.0) for _ in range(1000)] == ["no"] * 10 + [None] * 990
    assert sparing.line("no", 119.0) is None
    assert sparing.line("no", 121.0) == "no (991 more were refused and not logged)"
    assert sparing.line("no", 400.0) == "no"


@pytest.mark.parametrize(
    ("files", "connections"), [(64, 16), (256, 64), (1024, 256), (65_536, 1000), (8, 8)]
)
def test_most_files_are_left_for_other_things(files: int, connections: int) -> None:
    assert connections_for(files) == connections


def test_the_limit_of_files_is_raised_as_far_as_it_may_be() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, before[1]), before[1]))
        assert (
            raise_file_limit()
            == min(before[1], 65_536)
            == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
