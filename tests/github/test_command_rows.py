"""Which command is taken next: the oldest that is due, however many have to wait for something."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from claude_pool_gh.github import abandoned, command_rows, inbox
from claude_pool_gh.github.command_request import CommandRequest, requests
from claude_pool_gh.github.effects import rows as effects
from claude_pool_gh.storage import Database, migrations, owners
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, Thread

STRANGER = Actor(id=7, login="stranger")
FIVE = "\n".join(["/pool help"] * 5)
LATER = 256_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(database.engine)
    yield database
    database.close()


def of_comment(number: int, body: str, repository: int = 1) -> list[CommandRequest]:
    where = Repository(id=repository, owner="octo", name=f"r{repository}")
    thread = Thread(repository=where, number=1)
    return requests(body, thread=thread, actor=STRANGER, source=CommentRef(id=number))


async def store(database: Database, asked: list[CommandRequest], at_ms: int) -> None:
    for each in asked:
        assert await database.transact(partial(inbox.store, request=each, now_ms=at_ms))


async def claimed(database: Database, now_ms: int) -> CommandRequest | None:
    return await database.transact(lambda tx: command_rows.claim(tx, now_ms, 120_000))


async def test_those_who_wait_for_a_command_above_them_keep_nobody_elses_from_being_handled(
    database: Database,
) -> None:
    for comment in range(1, 41):  # each first one fails, as where GitHub limits one installation
        await store(database, of_comment(comment, FIVE), comment)
    for _ in range(40):
        first = await claimed(database, 100)
        assert first is not None
        assert first.ordinal == 0
        later = partial(command_rows.postpone, key=first.key, tries=1, due_ms=LATER)
        await database.transact(later)
    assert await claimed(database, 200) is None
    (other,) = of_comment(99, "/pool review", repository=2)
    await store(database, [other], 300)
    found = await claimed(database, 300)
    assert found == other


async def test_the_commands_of_one_comment_are_handled_in_their_order(database: Database) -> None:
    await store(database, of_comment(1, FIVE), 5)
    for ordinal in range(5):
        found = await claimed(database, 10)
        assert found is not None
        assert found.ordinal == ordinal
        assert await claimed(database, 10) is None, "the next one waits for it"
        await database.transact(partial(command_rows.close, key=found.key, answer="done"))


async def test_after_a_crash_nobody_waits_for_a_process_of_another_boot_or_container(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (of_comment(number, "/pool help")[0] for number in (1, 2, 3))
    await store(database, [first, second, third], 5)
    for module in (command_rows, abandoned):
        monkeypatch.setattr(module, "own_id", lambda: "host@0000.1/1/7")
    assert await claimed(database, 10) == first
    renewed = partial(effects.hold, name="writer:1", owner="host@0000.1/1/7", now_ms=10)
    assert await database.transact(renewed)
    await abandoned.free(database)
    assert await claimed(database, 10) == second, "the control: its own are not freed"
    for module in (command_rows, abandoned):
        monkeypatch.setattr(module, "own_id", owners.own_id)
    own = partial(effects.hold, name="writer:1", owner=owners.own_id(), now_ms=11)
    assert not await database.transact(own)
    await abandoned.free(database)
    assert await database.transact(own)
    assert [await claimed(database, 11) for _ in range(3)] == [first, second, third]
