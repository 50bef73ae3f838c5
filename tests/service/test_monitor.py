"""What monitors are answered, over HTTP and with a real database behind it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.records import Load
from claude_pool_gh.pool.store import chains
from claude_pool_gh.service.monitoring import endpoints
from claude_pool_gh.service.monitoring import monitor as monitoring
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.metrics import Metrics
from claude_pool_gh.service.monitoring.monitor import Monitor
from claude_pool_gh.service.monitoring.readiness import Readiness
from claude_pool_gh.service.monitoring.repository_caps import RepositoryCaps
from claude_pool_gh.storage import Database
from tests.pool.make import NOW, account, plan
from tests.service.seeded import DOLLAR, database_in
from tests.service.test_metrics import read


@dataclass
class Answer:
    status: int
    text: str
    kind: str


@dataclass
class Client:
    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str) -> Answer:
        async with self.session.get(self.url + path) as answer:
            return Answer(answer.status, await answer.text(), answer.headers["Content-Type"])

    async def gauge(self, name: str, *labels: tuple[str, str]) -> float | None:
        return read((await self.get("/metrics")).text.encode()).get((name, labels))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = database_in(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def monitor(database: Database, tmp_path: Path) -> Monitor:
    watch = GitHubWatch()
    return Monitor(
        database=database,
        folder=tmp_path,
        load=lambda: Load(slots=2, busy=1, tasks_waiting=0, chains_running=1),
        now_ms=lambda: NOW,
        pool_cap=100 * DOLLAR,
        github=watch,
        metrics=Metrics(),
        readiness=Readiness(database, tmp_path, watch, dict),
        repository_caps=RepositoryCaps(database=database, now_ms=lambda: NOW),
    )


@asynccontextmanager
async def served(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Client]:
    caplog.set_level(logging.INFO)
    async with endpoints.served(monitor, "127.0.0.1", 0), aiohttp.ClientSession() as session:
        (line,) = [each.getMessage() for each in caplog.records if "metrics at" in each.message]
        yield Client(session, line.removeprefix("metrics at ").removesuffix("/metrics"))


async def test_a_process_that_can_work_says_so(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(monitor, caplog) as client:
        assert await client.get("/healthz") == Answer(200, "ok\n", "text/plain; charset=utf-8")
        assert await client.get("/readyz") == Answer(200, "ready\n", "text/plain; charset=utf-8")
        metrics = await client.get("/metrics")
    assert metrics.kind == "text/plain; version=0.0.4; charset=utf-8"
    found = read(metrics.text.encode())
    assert (found["ready", ()], found["slots", ()], found["slots_busy", ()]) == (1, 2, 1)
    assert found["disk_free_bytes", ()] > 0
    assert ("github_rate_limit_remaining", ()) in found


async def test_each_reason_is_a_line_and_a_process_that_answers_is_still_alive(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    monitor.github.note(401, "/app", None)
    gone = replace(monitor, readiness=replace(monitor.readiness, folder=monitor.folder / "gone"))
    async with served(gone, caplog) as client:
        ready = await client.get("/readyz")
        assert (ready.status, len(ready.text.splitlines())) == (503, 2)
        assert await client.gauge("ready") == 0
        assert (await client.get("/healthz")).status == 200


async def test_a_process_that_stops_is_not_ready_and_does_not_look_any_more(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(monitor, caplog) as client:
        assert (await client.get("/readyz")).status == 200
        monitor.stop()
        assert await client.get("/readyz") == Answer(
            503, "it is stopping\n", "text/plain; charset=utf-8"
        )
        assert await client.gauge("ready") == 0
        assert await client.gauge("slots_busy") == 1, "what still runs is told to the end"


async def test_the_part_of_the_cap_that_is_used_is_told_where_there_is_a_cap(
    monitor: Monitor, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    own = Caps(task=DOLLAR, chain=25 * DOLLAR, pool=100 * DOLLAR)
    with database.engine.begin() as tx:
        assert chains.create(tx, "a", plan(), account(), own, NOW)
    cap = ("cap", "pool and month")
    async with served(monitor, caplog) as client:
        assert await client.gauge("cap_used_ratio", cap) == 0.25
        assert await client.gauge("chains_queued") == 1
    caplog.clear()
    async with served(replace(monitor, pool_cap=None, metrics=Metrics()), caplog) as client:
        assert await client.gauge("cap_used_ratio", cap) is None


async def test_a_database_that_is_slow_or_broken_costs_only_what_it_would_have_said(
    monitor: Monitor,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitoring, "_READ_SECONDS", 0.05)
    monkeypatch.setattr(monitor.repository_caps, "read_seconds", 0.05)

    async def never(_work: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(database, "read", never)
    async with served(monitor, caplog) as client:
        assert await client.gauge("database_up") == 0
        assert await client.gauge("slots") == 2
        monkeypatch.undo()
        assert await client.gauge("database_up") == 1
        with database.engine.begin() as tx:
            tx.exec_driver_sql("DROP TABLE effects")
        assert await client.gauge("database_up") == 0


async def test_without_a_port_nothing_listens_and_it_looks_all_the_same(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monitor.github.note(401, "/app", None)
    async with endpoints.served(monitor, "127.0.0.1", None), asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0.01)
    assert [vars(each)["action"] for each in caplog.records] == ["not_ready"]
    assert [each for each in asyncio.all_tasks() if "look_for_ever" in repr(each)] == []


async def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_behind(
    monitor: Monitor,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            async with endpoints.served(monitor, "127.0.0.1", taken.getsockname()[1]):
                raise AssertionError
    await asyncio.sleep(0)
    assert [each for each in asyncio.all_tasks() if "look_for_ever" in repr(each)] == []
