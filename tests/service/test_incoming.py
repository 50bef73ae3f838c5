"""A delivery is stored and answered in time, or refused in time; other work waits meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.service.monitoring.traces import NoTraces
from claude_pool_gh.service.server.bounds import GuardedSite
from claude_pool_gh.service.server.incoming import Incoming
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.service.server.too_much import TooMuch
from claude_pool_gh.service.server.web import WebhookApp
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.patience import PATIENCE

SECRET = "s" * 32


@asynccontextmanager
async def storing(incoming: Incoming) -> AsyncIterator[None]:
    """One delivery that is being stored while the block lasts."""
    over = asyncio.Event()
    one = asyncio.create_task(incoming.stored(over.wait, incoming.now()))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        over.set()
        await one


async def test_other_work_waits_while_many_deliveries_come_in_and_not_for_ever() -> None:
    incoming = Incoming(many=2, longest=0.2, stored_within=PATIENCE)
    await asyncio.wait_for(incoming.turn(), PATIENCE)
    async with storing(incoming):
        await asyncio.wait_for(incoming.turn(), PATIENCE)
        async with storing(incoming):
            waiting = asyncio.create_task(incoming.turn())
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await waiting
        async with storing(incoming):
            loop = asyncio.get_running_loop()
            began = loop.time()
            await incoming.turn()
            assert loop.time() - began >= 0.2
    assert incoming.count == 0


async def test_the_time_in_which_a_body_came_is_time_in_which_nothing_was_stored() -> None:
    seconds = [100.0]
    incoming = Incoming(now=lambda: seconds[0])
    begun, stored = incoming.now(), list[str]()

    async def store() -> None:
        stored.append("it")

    seconds[0] += 7.9
    await incoming.stored(store, begun)
    seconds[0] += 0.2
    with pytest.raises(TooMuch, match="deliver it again") as refused:
        await incoming.stored(store, begun)
    assert (refused.value.status, stored) == (503, ["it"])
    with pytest.raises(TooMuch):
        await incoming.in_time(asyncio.sleep(PATIENCE), begun)


@dataclass(frozen=True, slots=True)
class Served:
    """The webhook's own part of a server, and where it listens."""

    app: WebhookApp
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/webhook"


@asynccontextmanager
async def serving(
    tmp_path: Path, incoming: Incoming, gate: asyncio.Semaphore | None = None
) -> AsyncIterator[Served]:
    """The webhook's own part of a server, on a real database; `gate`: lets the transactions to it, one each."""
    database = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(database.engine)

    async def transact(act: Callable[[Transaction], int]) -> int:
        if gate is not None:
            await gate.acquire()
        return await database.transact(act)

    parts: dict[str, Any] = {
        "database": SimpleNamespace(transact=transact),
        "clock": SystemClock(),
        "incoming": incoming,
        "event_handler": SimpleNamespace(take=lambda _tx, _news: None),
        "monitor": SimpleNamespace(),
        "traces": NoTraces(),
        "writer": SimpleNamespace(wake=lambda: None),
        "wake": lambda: None,
    }
    settings = Settings(webhook_secret=SECRET, state_dir=tmp_path)
    app = WebhookApp(cast("Runtime", SimpleNamespace(**parts)), settings)
    runner = web.AppRunner(app.application(), access_log=None)
    await runner.setup()
    try:
        await GuardedSite(runner, "127.0.0.1", 0, app.connections).start()
        yield Served(app, *runner.addresses[0][:2])
    finally:
        await runner.cleanup()
        database.close()


async def deliver(server: Served, number: int, *, padding: int = 0) -> tuple[int, str]:
    user = {"id": 5, "login": "mona", "type": "User"}
    payload = {
        "action": "created",
        "comment": {"id": number, "body": "/pool help", "user": user},
        "issue": {"number": 1, "body": "x" * padding},
        "repository": {
            "id": 1,
            "name": "shop",
            "owner": {"id": 1, "login": "octo", "type": "User"},
        },
        "sender": user,
        "installation": {"id": 2},
    }
    body = json.dumps(payload).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "issue_comment",
        "X-GitHub-Delivery": f"guid-{number:08}",
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


def rows_of(tmp_path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(tmp_path / "pool.sqlite")) as database:
        return database.execute(sql).fetchall()


async def test_what_is_not_stored_in_time_is_refused_and_taken_in_when_it_comes_again(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, Incoming(stored_within=0.5)) as server:
        with closing(sqlite3.connect(tmp_path / "pool.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            status, text = await deliver(server, 1)
            assert (status, "deliver it again" in text) == (503, True)
            other.execute("ROLLBACK")
        async with asyncio.timeout(PATIENCE):
            while (answer := await deliver(server, 1))[0] != 202:
                assert answer[0] == 503, "a busy machine may be late again"
        assert answer in ((202, "1 new\n"), (202, "known already\n"))
    assert rows_of(tmp_path, "SELECT count(*) FROM commands") == [(1,)]
    assert rows_of(tmp_path, "SELECT count(*) FROM deliveries") == [(1,)]


async def test_a_hundred_at_once_are_all_stored_long_bodies_too(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, Incoming(stored_within=PATIENCE)) as server:
        wanted = [deliver(server, number, padding=number % 2 * 40_000) for number in range(1, 101)]
        assert set(await asyncio.gather(*wanted)) == {(202, "1 new\n")}
    assert rows_of(tmp_path, "SELECT count(*) FROM commands") == [(100,)]
    assert rows_of(tmp_path, "SELECT owner, name FROM repositories") == [("octo", "shop")]


async def test_strangers_who_send_slowly_change_nothing_for_what_github_delivers(
    tmp_path: Path,
) -> None:
    seconds = [0.0]
    incoming = Incoming(stored_within=PATIENCE, now=lambda: seconds[0])
    async with serving(tmp_path, incoming) as server:
        strangers = [await stranger(server) for _ in range(40)]
        assert await deliver(server, 1) == (202, "1 new\n")
        for number, (reader, writer) in enumerate(strangers, start=2):
            seconds[0] += PATIENCE
            writer.write(b"{}")
            assert (await reader.readline()).split()[1] == b"401"
            writer.close()
            assert await deliver(server, number) == (202, "1 new\n")
    assert rows_of(tmp_path, "SELECT count(*) FROM commands") == [(41,)]


def test_refused_strangers_leave_room_in_the_log_for_what_was_not_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(webhook_secret=SECRET, state_dir=tmp_path)
    app = WebhookApp(cast("Runtime", SimpleNamespace()), settings)
    for status in [401] * 100 + [503]:
        app._answer(status, str(status))
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["delivery: 401"] * 10 + ["delivery: 503"]


async def test_a_delivery_that_is_being_stored_is_not_closed_for_strangers(
    tmp_path: Path,
) -> None:
    gate, incoming = asyncio.Semaphore(0), Incoming(stored_within=PATIENCE)
    async with serving(tmp_path, incoming, gate) as server:
        server.app.connections.most = 3
        slow = await stranger(server)
        waiting = [asyncio.create_task(deliver(server, number)) for number in (1, 2)]
        async with asyncio.timeout(PATIENCE):
            while incoming.count < 2:
                await asyncio.sleep(0.01)
        late = [await stranger(server) for _ in range(5)]
        assert await slow[0].read() == b"", "who is waited for longest makes room"
        for _ in waiting:
            gate.release()
        assert [await each for each in waiting] == [(202, "1 new\n")] * 2
        for _, writer in (slow, *late):
            writer.close()


async def stranger(server: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request without a signature whose body does not come."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX-GitHub-Event: ping\r\n\r\n"
    writer.write(head)
    return reader, writer


async def test_what_would_come_too_late_is_refused_at_once_and_no_longer_when_the_stall_is_over(
    tmp_path: Path,
) -> None:
    seconds, gate = [0.0], asyncio.Semaphore(0)
    incoming = Incoming(stored_within=PATIENCE, now=lambda: seconds[0])
    async with serving(tmp_path, incoming, gate) as server:
        waiting = {asyncio.create_task(deliver(server, number)) for number in range(1, 31)}
        async with asyncio.timeout(PATIENCE):
            while incoming.count < 30:
                await asyncio.sleep(0.01)
        for _ in range(10):
            gate.release()
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == [(202, "1 new\n")]
            seconds[0] += PATIENCE
        status, text = await deliver(server, 100)
        assert (status, "deliver it again" in text) == (503, True)
        for _ in range(1_000):
            gate.release()
        assert set(await asyncio.gather(*waiting)) == {(202, "1 new\n")}
        again = [deliver(server, number) for number in range(100, 140)]
        assert set(await asyncio.gather(*again)) == {(202, "1 new\n")}
    assert rows_of(tmp_path, "SELECT count(*) FROM commands") == [(70,)]
