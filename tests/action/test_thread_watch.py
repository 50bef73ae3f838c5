"""Comments that come while a job serves their thread: one that cannot be read costs nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from claude_pool_gh.action import thread_watch as listening
from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.conversation import registry
from claude_pool_gh.github.tables import commands
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Repository, Thread
from tests.conversation.test_progress import _made, _setting
from tests.pool.make import NOW

THREAD = Thread(repository=Repository(id=1, owner="o", name="n"), number=7)
USER = {"id": 9, "login": "ann", "type": "User"}
STRANGER = {"id": 10, "login": "eve", "type": "User"}
WHEN = "2026-11-30T12:00:00Z"
AT = 1_796_040_000_000
ROLES = {"ann": "write", "eve": "read"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


def house_with(database: Database, comments: list[dict[str, Any]], asked: list[str]) -> Runtime:
    """The parts that listening needs, with a GitHub that has these comments and notes for whom a role was asked."""

    async def pages(*_: object, **__: object) -> AsyncIterator[Any]:
        for each in comments:
            yield each | {"created_at": WHEN, "updated_at": WHEN}

    async def read(_repository: Repository, path: str, **_query: object) -> Any:
        if not path:
            return {"default_branch": "main"}
        login = path.split("/")[2]
        asked.append(login)
        user = USER if login == "ann" else STRANGER
        return {"user": {"id": user["id"]}, "permission": ROLES[login], "role_name": ROLES[login]}

    async def configuration(*_: object) -> None:
        return None

    services = SimpleNamespace(forge=SimpleNamespace(pages=pages, read=read))
    judge = SimpleNamespace(
        services=services,
        config_loader=SimpleNamespace(of=configuration),
        verbs={name: each.verb for name, each in registry.handlers().items()},
    )
    runtime = SimpleNamespace(
        database=database,
        services=services,
        clock=SimpleNamespace(now_ms=lambda: 1),
        command_worker=SimpleNamespace(judge=judge),
    )
    return cast(Runtime, runtime)


async def anything(_found: object, _at_ms: int) -> bool:
    return True


def holding(runtime: Runtime, keeper: Any, audits: set[str] | None, audit: str = "") -> Any:
    """What a job holds, where all audits and the thread's own state say that the commands are for one audit."""
    asked: list[tuple[int, int | None]] = []

    async def audit_of(_asked: object, at_ms: int, since_ms: int | None) -> str:
        asked.append((at_ms, since_ms))
        assert at_ms == AT
        return audit

    return partial(listening._is_held, runtime, cast(Keeper, keeper), audits, audit_of)


async def lines_of(database: Database) -> list[str]:
    return list(
        await database.read(lambda tx: tx.execute(sa.select(commands.c.line)).scalars().all())
    )


async def test_a_comment_that_cannot_be_read_costs_no_other_command(database: Database) -> None:
    comments: list[dict[str, Any]] = [
        {"id": 1, "body": "/pool help \ud83d", "user": USER},
        {"id": "x", "body": "/pool help", "user": USER},
        {"body": "/pool help", "user": USER},
        {"id": 3, "body": "/pool help", "user": {"id": "?"}},
        {"id": 2, "body": "/pool status", "user": USER},
    ]
    await listening._read(
        house_with(database, comments, []), THREAD, datetime.now(UTC), set(), set(), anything
    )
    assert "/pool status" in await lines_of(database)


async def test_a_stranger_is_left_to_a_job_of_their_own_and_asked_about_once(
    database: Database,
) -> None:
    comments = [{"id": number, "body": "/pool review", "user": STRANGER} for number in range(1, 30)]
    comments.append({"id": 99, "body": "/pool review", "user": USER})
    asked: list[str] = []
    strangers: set[int] = set()
    runtime = house_with(database, comments, asked)
    for _ in range(3):
        await listening._read(runtime, THREAD, datetime.now(UTC), strangers, set(), anything)
    assert await lines_of(database) == ["/pool review"]
    assert asked == ["eve", "ann"]
    assert strangers == {10}


@pytest.mark.parametrize(
    ("audit", "in_report", "body", "is_taken"),
    [
        ("", False, "/pool review", True),
        ("", False, "/pool cancel", True),
        ("", False, "/pool audit defects", False),
        ("", False, "/pool review\n/pool audit", False),
        ("defects", False, "/pool cancel", True),
        ("defects", False, "/pool status\n/pool continue", True),
        ("defects", False, "/pool review", False),
        ("defects", False, "/pool approve 0123456789", False),
        ("defects", False, "/pool cancel\n/pool review", False),
        ("defects", False, "/pool cancel 0123456789", False),  # a run of the thread's own
        ("defects", False, "/pool audit", True),
        ("defects", True, "/pool approve 0123456789", True),
        ("defects", True, "/pool cancel 0123456789", True),
        ("defects", True, "/pool audit src/", True),
        ("defects", True, "/pool audit tests", False),
        ("night", True, "/pool audit night", True),
    ],
)
async def test_what_needs_another_state_is_left_to_its_own_job_which_would_serve_it_again(
    database: Database, audit: str, body: str, *, in_report: bool, is_taken: bool
) -> None:
    runtime = house_with(database, [{"id": 1, "body": body, "user": USER}], [])
    keeper = SimpleNamespace(audit=audit, is_in_report=in_report, since_ms=AT)
    is_named = "0123456789" in body
    holds = holding(runtime, keeper, {"night"}, "" if is_named else audit)
    await listening._read(runtime, THREAD, datetime.now(UTC), set(), set(), holds)
    assert await lines_of(database) == (body.split("\n") if is_taken else [])


@pytest.mark.parametrize("audit", ["", "defects"])
@pytest.mark.parametrize("belongs_to", ["", "defects", "night"])
@pytest.mark.parametrize("body", ["/pool cancel", "/pool continue", "/pool cancel 0123456789"])
async def test_of_jobs_that_run_at_once_in_a_thread_one_takes_what_steers_runs(
    database: Database, audit: str, belongs_to: str, body: str
) -> None:
    """Two that took it cancelled two runs, or began two."""
    runtime = house_with(database, [{"id": 1, "body": body, "user": USER}], [])
    keeper = SimpleNamespace(audit=audit, is_in_report=False, since_ms=AT)
    settled: set[int] = set()
    holds = holding(runtime, keeper, set(), belongs_to)
    for _ in range(2):
        await listening._read(runtime, THREAD, datetime.now(UTC), set(), settled, holds)
    assert await lines_of(database) == ([body] if audit == belongs_to else [])
    assert settled == {1}, "nobody is asked again whose it is"


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [("/pool audit night", False), ("/pool audit src/", False), ("/pool audit defects", True)],
)
async def test_where_a_faulty_configuration_names_no_audit_none_is_taken_for_the_default_one(
    database: Database, body: str, *, is_taken: bool
) -> None:
    runtime = house_with(database, [{"id": 1, "body": body, "user": USER}], [])
    keeper = SimpleNamespace(audit="defects", is_in_report=True, since_ms=AT)
    holds = holding(runtime, keeper, None)
    await listening._read(runtime, THREAD, datetime.now(UTC), set(), set(), holds)
    assert bool(await lines_of(database)) is is_taken


async def test_a_run_of_the_audit_is_cancelled_by_its_name_where_it_was_asked_for(
    database: Database,
) -> None:
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "c1", NOW)
    runtime = house_with(database, [{"id": 1, "body": "/pool cancel C1", "user": USER}], [])
    keeper = SimpleNamespace(audit="defects", is_in_report=False, since_ms=AT)
    holds = holding(runtime, keeper, set())
    await listening._read(runtime, THREAD, datetime.now(UTC), set(), set(), holds)
    assert await lines_of(database) == ["/pool cancel C1"]
