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
    both = known.with_(("c.py",), BLOBS, "others")
    assert both.under("others") == Reads().with_(("c.py",), BLOBS, "others")
    assert both.under("rules") == known, "one run with another model forgets nothing"


def test_what_was_read_by_the_last_three_rules_is_kept() -> None:
    known = Reads()
    for rules in ("first", "second", "third", "first", "fourth"):
        known = known.with_(("a.py",), BLOBS, rules)
    assert list(known.by_rules) == ["fourth", "first", "third"]


def test_a_file_with_a_claim_that_nobody_judged_is_read_again_whoever_has_read_it() -> None:
    known = Reads().with_(("a.py", "b.py"), BLOBS, "rules")
    for rules in ("rules", "others"):
        after = known.with_(("c.py",), BLOBS, rules, open_={"a.py", "gone.py"})
        assert [after.have(path, blob) for path, blob in BLOBS.items()] == [False, True, True]
    now = Reads().with_(("a.py",), BLOBS, "rules", open_={"a.py"})
    assert not now, "nor by this run"


def test_who_pushes_cannot_make_two_contents_of_one_name() -> None:
    (name,) = Reads().with_(("a.py",), BLOBS, "rules").by_rules["rules"]
    assert len(name) * 8 >= 128


def test_what_is_gone_is_forgotten() -> None:
    known = Reads().with_(BLOBS, BLOBS, "rules")
    later = known.with_((), {"a.py": "1", "b.py": "other"}, "rules")
    assert later == Reads().with_(("a.py",), BLOBS, "rules")


def _note(known: Reads, tx: Transaction) -> None:
    note_reads(tx, KEY, known)


async def test_it_is_kept(database: Database) -> None:
    assert await database.read(lambda tx: reads_of(tx, KEY)) == Reads()
    known = Reads()
    for rules, paths in (("one", ("a.py",)), ("two", ("b.py",)), ("one", ("a.py", "b.py"))):
        known = known.with_(paths, BLOBS, rules)
        await database.transact(partial(_note, known))
        kept = await database.read(lambda tx: reads_of(tx, KEY))
        assert kept == known
        assert list(kept.by_rules) == list(known.by_rules), "the newest first"
    other = audit_key(7, "docs")
    assert await database.read(lambda tx: reads_of(tx, other)) == Reads()
