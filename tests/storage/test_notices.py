"""What one process tells the others on PostgreSQL: heard while it listens, and said when it did not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from claude_pool_gh.storage import Database, Transaction, notices
from tests.patience import PATIENCE

pytestmark = pytest.mark.rotating(3)  # a real PostgreSQL
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(query, 'LISTEN')"


@pytest.fixture
def database(postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(notices, "_AGAIN_SECONDS", 0.01)
    database = Database.open(postgres())
    yield database
    database.close()


async def tell(database: Database, channel: str, text: str) -> None:
    await database.transact(
        lambda tx: tx.exec_driver_sql("SELECT pg_notify(%s, %s)", (channel, text)).all()
    )


async def test_what_is_told_on_a_channel_is_heard_there_alone(database: Database) -> None:
    async with asyncio.timeout(PATIENCE):
        heard = notices.notices(database, 'odd "name"')
        assert await anext(heard) is None, "now it listens"
        await tell(database, "another", "x")
        for text in ("first", "second"):
            await tell(database, 'odd "name"', text)
        assert [await anext(heard), await anext(heard)] == ["first", "second"]
        await aclose(heard)


async def test_only_what_was_committed_is_told(database: Database) -> None:
    class Undone(Exception):
        pass

    def undo(tx: Transaction) -> None:
        tx.exec_driver_sql("SELECT pg_notify('c', 'undone')").all()
        raise Undone

    async with asyncio.timeout(PATIENCE):
        heard = notices.notices(database, "c")
        await anext(heard)
        with pytest.raises(Undone):
            await database.transact(undo)
        await tell(database, "c", "done")
        assert await anext(heard) == "done"
        await aclose(heard)


async def test_after_a_lost_connection_it_is_said_that_something_may_be_missed(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(PATIENCE):
        heard = notices.notices(database, "c")
        await anext(heard)
        with caplog.at_level(logging.WARNING):
            next_one = asyncio.ensure_future(anext(heard))
            await database.transact(lambda tx: tx.exec_driver_sql(END).all())
            assert await next_one is None, "it listens again"
        await tell(database, "c", "later")
        assert await anext(heard) == "later"
        await aclose(heard)
    (record,) = [each for each in caplog.records if "not listening" in each.message]
    assert getattr(record, "action", "") == "listen_failed"
    kind = record.message.removeprefix("not listening: ")
    assert kind in ("AdminShutdown", "OperationalError"), "an address may be in the driver's words"


async def aclose(heard: AsyncIterator[str | None]) -> None:
    await heard.aclose()  # type: ignore[attr-defined]
