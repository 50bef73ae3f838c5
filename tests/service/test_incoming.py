"""A delivery is stored and answered in time, or refused in time; other work waits meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.service.bounds import TooMuch
from claude_pool_gh.service.incoming import Incoming
from claude_pool_gh.service.runtime import Runtime
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.web import WebhookApp
from claude_pool_gh.storage import Database, migrations
from tests.patience import PATIENCE

SECRET = "s" * 32


async def test_other_work_waits_while_many_deliveries_come_in_and_not_for_ever() -> None:
    incoming = Incoming(many=2, longest=0.2)
    await asyncio.wait_for(incoming.turn(), 0.1)
    with incoming.one():
        await asyncio.wait_for(incoming.turn(), 0.1)
        with incoming.one():
            waiting = asyncio.create_task(incoming.turn())
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await waiting
        with incoming.one():
            loop = asyncio.get_running_loop()
            began = loop.time()
            await incoming.turn()
            assert loop.time() - began >= 0.2
    assert incoming.count == 0


def test_one_more_than_can_be_stored_in_time_is_refused_at_once() -> None:
    seconds = iter(range(1_000))
    incoming = Incoming(many=2, stored_within=8.0, now=lambda: float(next(seconds)))
    incoming.check()
    for _ in range(200):
        incoming.count = 11
        with incoming.one():
            pass
    assert 0.9 < incoming.pace < 1.1, "one a second"
    incoming.count = 7
    incoming.check()
    incoming.count = 20
    with pytest.raises(TooMuch, match="deliver it again") as refused:
        incoming.check()
    assert refused.value.status == 503
    incoming.count = 0
    incoming.check()


def test_the_time_between_few_says_nothing_about_their_pace() -> None:
    seconds = iter(range(0, 100_000, 100))
    incoming = Incoming(now=lambda: float(next(seconds)))
    for _ in range(100):
        with incoming.one():
            pass
    assert incoming.pace == 0.0


@asynccontextmanager
async def serving(tmp_path: Path, stored_within: float) -> AsyncIterator[TestServer]:
    """The webhook's own part of a server, on a real database."""
    database = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(database.engine)
    parts: dict[str, Any] = {
        "database": database,
        "clock": SystemClock(),
        "incoming": Incoming(stored_within=stored_within),
        "event_handler": SimpleNamespace(take=lambda _tx, _news: None),
        "monitor": SimpleNamespace(readyz=lambda _request: None),
        "writer": SimpleNamespace(wake=lambda: None),
        "wake": lambda: None,
    }
    settings = Settings(webhook_secret=SECRET, state_dir=tmp_path)
    app = WebhookApp(cast("Runtime", SimpleNamespace(**parts)), settings)
    served = TestServer(app.application())
    async with served:
        yield served
    database.close()


async def deliver(server: TestServer, number: int, *, padding: int = 0) -> tuple[int, str]:
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
        session.post(server.make_url("/webhook"), data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_what_is_not_stored_in_time_is_refused_and_taken_in_when_it_comes_again(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, 0.5) as server:
        with closing(sqlite3.connect(tmp_path / "pool.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            status, text = await deliver(server, 1)
            assert (status, "deliver it again" in text) == (503, True)
            other.execute("ROLLBACK")
        async with asyncio.timeout(PATIENCE):
            while await deliver(server, 1) not in ((202, "1 new\n"), (202, "known already\n")):
                pass  # a busy machine may be late again
    with closing(sqlite3.connect(tmp_path / "pool.sqlite")) as rows:
        assert rows.execute("SELECT count(*) FROM commands").fetchone() == (1,)


async def test_a_hundred_at_once_are_all_stored_long_bodies_too(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, PATIENCE) as server:
        wanted = [deliver(server, number, padding=number % 2 * 40_000) for number in range(1, 101)]
        assert set(await asyncio.gather(*wanted)) == {(202, "1 new\n")}
    with closing(sqlite3.connect(tmp_path / "pool.sqlite")) as rows:
        assert rows.execute("SELECT count(*) FROM commands").fetchone() == (100,)
        assert rows.execute("SELECT owner, name FROM repositories").fetchall() == [("octo", "shop")]
