"""What is kept in refs, as bytes: nothing of one machine, no transcript, and nothing that breaks the next job."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from claude_pool_gh.action.state import image, money
from claude_pool_gh.action.state.image import Header, Unreadable
from claude_pool_gh.action.state.money import Entry
from claude_pool_gh.storage import Database, migrations

HEADER = Header(repository=1, thread=2, run="r", until_ms=0)
TASK = (
    "INSERT INTO tasks (id, chain_id, step, shard, title, state, attempt, model, transcript, created_ms)"
    " VALUES ('t', 'c', 's', 0, 'x', 'completed', 1, 'm', '\"the agent said so\"', 0)"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "pool.sqlite"
    opened = Database.open(f"sqlite:///{file}")
    migrations.upgrade(opened.engine)
    opened.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as rows:
        rows.execute("PRAGMA foreign_keys = OFF")
        rows.execute(TASK)
        rows.execute("INSERT INTO leases VALUES ('writer:0', 'host/1/1', 5)")
    return file


def test_a_database_comes_back_without_transcripts_and_leases(database: Path, tmp_path: Path) -> None:
    whole = image.with_header(HEADER, image.pack(database))
    header, body = image.parts(whole)
    assert header == HEADER
    there = tmp_path / "there.sqlite"
    image.unpack(body, there)
    with closing(sqlite3.connect(there)) as rows:
        assert rows.execute("SELECT id, transcript FROM tasks").fetchall() == [("t", None)]
        assert rows.execute("SELECT * FROM leases").fetchall() == []
    assert b"the agent said so" not in zlib.decompress(body)
    assert b"the agent said so" in database.read_bytes(), "the control: it was there"
    assert len(whole) < 40_000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no state"),
        (b"[]\n", "no state"),
        (b'{"repository": 1}\n', "no state"),
        (json.dumps({"repository": 1, "thread": 2, "run": "", "until_ms": 0, "format": 99}).encode(), "newer"),
        (json.dumps({"repository": 1, "thread": 2, "run": "", "until_ms": 0, "schema": "9999"}).encode(), "newer"),
    ],
)  # fmt: skip
def test_a_state_of_another_form_is_refused_with_words(content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        image.parts(content)


@pytest.mark.parametrize("body", [b"no deflated bytes", zlib.compress(b"no database"), zlib.compress(b"")])
def test_a_damaged_state_is_refused_and_leaves_nothing(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="damaged"):
        image.unpack(body, tmp_path / "there.sqlite")
    assert not (tmp_path / "there.sqlite").exists()


def entry(name: str, amount: int, created_ms: int = 100) -> Entry:
    return Entry(id=name, thread="1:7", user="9", repository="1", amount=amount, created_ms=created_ms)


def test_a_ledger_keeps_what_others_wrote_and_forgets_other_months() -> None:
    kept = money.lines({"a": entry("a", 5), "b": entry("b", 6, created_ms=10)})
    assert money.parse(kept + b"rubbish\n[]\n", since_ms=50) == {"a": entry("a", 5)}


def test_what_other_threads_have_spent_counts_here_and_is_not_kept(database: Path) -> None:
    opened = Database.open(f"sqlite:///{database}")
    now = money.month_start_ms() + 1
    with opened.engine.begin() as tx:
        for _ in range(2):
            money.count_others(tx, {"a": entry("a", 5_000_000, created_ms=now)})
        assert money.own(tx) == {}
    opened.close()
    with closing(sqlite3.connect(database)) as rows:
        assert rows.execute("SELECT settled FROM reservations").fetchall() == [(5_000_000,)]
    assert b"elsewhere:" not in zlib.decompress(image.pack(database))
