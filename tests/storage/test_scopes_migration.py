"""What an older version stored with a thread, a user and a repository counts and is found as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.pool.model.caps import Cap, CapUse, Window
from claude_pool_gh.pool.store import cap_uses, chains, costs, lookup
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.pool.make import NOW, plan
from tests.storage import old

ACCOUNT = {"conversation": "1:7", "thread": "1:7", "user": "9", "repository": "1"}
CONTEXT: dict[str, Any] = {"head": "a" * 40, "workflow": "tidy", "requester": {"login": "mona\0"}}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    shared = request.param == "postgresql"
    url = request.getfixturevalue("postgres")() if shared else f"sqlite:///{tmp_path}/a.sqlite"
    opened = Database.open(url)
    old.migrate(opened, "0007")
    with opened.engine.begin() as tx:
        own = plan("review").model_copy(update={"context": CONTEXT})
        old.chain(tx, "open", own)
        old.money(tx, "open", 3_000_000)
        old.chain(tx, "ended", own, state="done", outcome={"verdict": "clean"}, created_ms=NOW - 5)
        old.money(tx, "ended", 2_000_000, 1_000_000)
        nobody = {"account_thread": "", "account_user": "", "account_repository": ""}
        old.chain(
            tx, "task", plan("task"), kind="task", caps={"task": 9, "chain": 9, "pool": 9}, **nobody
        )
        old.chain(tx, "pruned", plan(""), kind="pruned", caps={}, state="done", **nobody)
        many = [_bare(f"many-{number}") for number in range(1_100)]  # more than are changed at once
        old.insert_all(tx, "chains", many)
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


def _bare(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "pool": "main",
        "kind": "chain",
        "state": "done",
        "plan": {"verb": "ask"},
        "account_thread": "2:1",
        "account_user": "3",
        "account_repository": "2",
        "caps": {},
        "priority": 0,
        "place": 0,
        "created_ms": NOW,
        "cancel_requested": False,
        "generation": 0,
    }


def test_what_was_spent_before_counts_against_every_cap(database: Database) -> None:
    def read(tx: Transaction) -> list[CapUse]:
        chain = chains.get(tx, "open")
        assert chain.account == ACCOUNT
        assert chain.caps.wider == (
            Cap("thread", Window.ever, 5_000_000),
            Cap("repository", Window.month, 6_000_000),
        )
        return cap_uses.cap_uses(tx, chain.account, chain.caps, NOW)

    with database.engine.begin() as tx:
        assert read(tx) == [
            CapUse("thread", 5_000_000, 4_000_000),
            CapUse("repository and month", 6_000_000, 4_000_000),
            CapUse("pool and month", 7_000_000, 4_000_000),
        ]


def test_chains_that_were_there_are_found_by_their_scope_and_verb(database: Database) -> None:
    with database.engine.begin() as tx:
        kin = lookup.related_to(tx, "open", "conversation")
        assert [(each.id, each.head, each.workflow) for each in kin] == [
            ("open", "a" * 40, "tidy"),
            ("ended", "a" * 40, "tidy"),
        ]
        assert lookup.open_of(tx, "repository", ["1", "2"]) == ["open"]
        assert len(lookup.newest_of(tx, "conversation", "1:7", limit=9)) == 2
        assert len(lookup.ended_of(tx, "conversation", "2:1", limit=2_000)) == 1_100
        assert costs.usual_cost(tx, "repository", "1", "review") is None


def test_a_scripts_chains_belong_to_no_scope(database: Database) -> None:
    with database.engine.begin() as tx:
        task = chains.get(tx, "task")
        assert (task.account, task.caps.shared) == ({}, (Cap("pool", Window.month, 9),))
