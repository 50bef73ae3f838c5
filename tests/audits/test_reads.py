"""What an audit remembers of the files that it has read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from claude_pool_gh.audits.reads import Reads, note_reads, reads_of
from claude_pool_gh.audits.rows import audit_key
from claude_pool_gh.storage import Database, Transaction, migrations

KEY = audit_key(7, "defects")
BLOBS = {"a.py": "1", "b.py": "2", "c.py": "3"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    made = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(made.engine)
    yield made
    made.close()


def test_what_two_runs_have_read_counts_together_and_only_as_it_was() -> None:
    first = Reads().with_(("a.py",), BLOBS, "rules")
    both = first.with_(("b.py",), BLOBS, "rules")
    assert [both.have(path, blob) for path, blob in BLOBS.items()] == [True, True, False]
    assert not both.have("a.py", "another"), "changed"
    assert not both.have("z.py", "1"), "moved: its place tells an agent something"


def test_by_other_rules_nothing_has_been_read_but_it_is_still_known_what_changed() -> None:
    known = Reads().with_(("a.py", "b.py"), BLOBS, "rules")
    assert not known.under("others").have("a.py", "1")
    assert known.have("a.py", "1")
    assert known.with_(("c.py",), BLOBS, "others") == Reads().with_(("c.py",), BLOBS, "others")


def test_what_is_gone_is_forgotten() -> None:
    known = Reads().with_(BLOBS, BLOBS, "rules")
    later = known.with_((), {"a.py": "1", "b.py": "other"}, "rules")
    assert later == Reads().with_(("a.py",), BLOBS, "rules")


def _note(known: Reads, tx: Transaction) -> None:
    note_reads(tx, KEY, known)


async def test_it_is_kept(database: Database) -> None:
    assert await database.read(lambda tx: reads_of(tx, KEY)) == Reads()
    for paths in (("a.py",), ("a.py", "b.py")):
        known = Reads().with_(paths, BLOBS, "rules")
        await database.transact(partial(_note, known))
        assert await database.read(lambda tx: reads_of(tx, KEY)) == known
    other = audit_key(7, "docs")
    assert await database.read(lambda tx: reads_of(tx, other)) == Reads()
