"""Repositories to which the bot may speak no more: what runs there ends, and what was to happen once does not late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.conversation.intake.event_handler import EventHandler
from claude_pool_gh.github import inbox, repository_events, thread_rows
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.repository_events import (
    CommentDeleted,
    InstallationChanged,
    RepositoriesRemoved,
    RepositoryChanged,
    RepositoryEvent,
)
from claude_pool_gh.github.tables import effects
from claude_pool_gh.pool.store import chains
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import CommentRef, Repository, Thread
from tests.conversation.simulated.kit import Clock
from tests.conversation.test_progress import _made, _setting
from tests.pool.make import NOW

SHOP = Repository(id=1, owner="octo", name="shop", installation_id=9)
OTHER = Repository(id=2, owner="octo", name="other", installation_id=9)
ELSEWHERE = Repository(id=3, owner="hub", name="else", installation_id=10)


@dataclass
class Watch:
    """Notes which chains are shown anew."""

    seen: list[str] = field(default_factory=list)

    def changed(self, _tx: Transaction, chain_id: str) -> None:
        self.seen.append(chain_id)

    def committed(self) -> None:
        """Nobody is woken."""


@dataclass
class Rows:
    """Three repositories, with a chain that waits in the first and something to be said in each."""

    database: Database
    watch: Watch = field(default_factory=Watch)

    def hear(self, event: RepositoryEvent) -> None:
        with self.database.engine.begin() as tx:
            EventHandler(Clock(NOW + 1), self.watch).take(tx, event)

    def is_ended(self) -> bool:
        with self.database.engine.begin() as tx:
            return chains.get(tx, "waits").cancel_requested

    def reachable(self) -> set[int]:
        with self.database.engine.begin() as tx:
            return {each for each in (1, 2, 3) if thread_rows.is_reachable(tx, each)}

    def states(self) -> dict[str, tuple[str, str]]:
        with self.database.engine.begin() as tx:
            found = tx.execute(sa.select(effects.c.key, effects.c.state, effects.c.error)).all()
        return {row.key: (row.state, row.error or "") for row in found}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Rows]:
    database = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        _setting(tx)
        for each in (SHOP, OTHER, ELSEWHERE):
            inbox.remember_repository(tx, each)
            rows.want(tx, f"reply:{each.id}", each, Reply(number=7, body="x"), NOW)
            rows.want(tx, f"comment:{each.id}", each, Comment(number=7, body="x"), NOW)
        _made(tx, "waits", NOW)
    yield Rows(database)
    database.close()


GONE = ("refused", "the repository is out of reach")


@pytest.mark.parametrize(
    ("event", "reachable"),
    [
        (InstallationChanged(9, "suspended"), {3}),
        (InstallationChanged(9, "removed"), {3}),
        (RepositoriesRemoved(9, (1,)), {2, 3}),
        (RepositoriesRemoved(9, (1, 2)), {3}),
        (RepositoryChanged(SHOP, "archived"), {2, 3}),
        (RepositoryChanged(SHOP, "removed"), {2, 3}),
    ],
)
def test_what_runs_in_what_is_out_of_reach_ends_and_what_was_to_be_said_once_is_given_up(
    here: Rows, event: RepositoryEvent, reachable: set[int]
) -> None:
    here.hear(event)
    assert here.is_ended()
    assert here.watch.seen == ["waits"]
    assert here.reachable() == reachable
    states = here.states()
    for number in (1, 2, 3):
        assert states[f"reply:{number}"] == (("wanted", "") if number in reachable else GONE)
        # it is brought up to date if the repository ever comes back
        assert states[f"comment:{number}"] == ("wanted", "")


@pytest.mark.parametrize(
    "event",
    [
        InstallationChanged(10, "suspended"),
        RepositoriesRemoved(9, (2,)),
        RepositoriesRemoved(9, ()),
        RepositoryChanged(OTHER, "archived"),
        RepositoryChanged(SHOP.model_copy(update={"name": "store"}), "active"),
        InstallationChanged(9, "active"),
    ],
)
def test_what_happens_elsewhere_and_what_comes_back_ends_nothing(
    here: Rows, event: RepositoryEvent
) -> None:
    here.hear(event)
    assert not here.is_ended()
    assert here.watch.seen == []
    assert here.states()["reply:1"] == ("wanted", "")


def test_a_repository_is_called_what_the_newest_event_calls_it(here: Rows) -> None:
    renamed = SHOP.model_copy(update={"name": "store"})
    here.hear(RepositoryChanged(renamed, "active"))
    with here.database.engine.begin() as tx:
        assert thread_rows.repository(tx, 1) == renamed


def test_what_was_suspended_comes_back_and_what_was_taken_away_or_archived_does_not(
    here: Rows,
) -> None:
    here.hear(RepositoriesRemoved(9, (2,)))
    here.hear(InstallationChanged(9, "suspended"))
    assert here.reachable() == {3}
    here.hear(InstallationChanged(9, "active"))
    assert here.reachable() - {2} == {1, 3}
    archived = RepositoryChanged(ELSEWHERE, "archived")
    here.hear(archived)
    here.hear(InstallationChanged(10, "active"))
    assert 3 not in here.reachable()
    here.hear(RepositoryChanged(ELSEWHERE, "active"))
    assert 3 in here.reachable()


def test_a_new_installation_names_its_repositories_and_one_that_ends_names_none_anew(
    here: Rows,
) -> None:
    def known() -> list[int]:
        with here.database.engine.begin() as tx:
            return [each.id for each in inbox.active_repositories(tx)]

    new = Repository(id=4, owner="hub", name="new", installation_id=11)
    here.hear(InstallationChanged(11, "removed", (new,)))
    assert known() == [1, 2, 3]
    here.hear(InstallationChanged(11, "active", (new,)))
    assert known() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("comment", "state"),
    [
        (CommentRef(id=77), "gone"),
        (CommentRef(id=78), "written"),
        (CommentRef(id=77, kind="review_comment", root=77), "written"),
    ],
)
def test_a_comment_of_ours_that_a_person_has_deleted_is_forgotten(
    here: Rows, comment: CommentRef, state: str
) -> None:
    """One in a review has numbers of its own, and is never edited."""
    with here.database.engine.begin() as tx:
        row = sa.update(effects).where(effects.c.key == "comment:1")
        tx.execute(row.values(state="written", written_version=1, remote_id=77))
    here.hear(CommentDeleted(Thread(repository=SHOP, number=7), comment))
    assert here.states()["comment:1"][0] == state


def test_hearing_it_twice_does_no_harm(here: Rows) -> None:
    event = repository_events.RepositoriesRemoved(9, (1,))
    here.hear(event)
    before = here.states()
    here.hear(event)
    assert here.states() == before
    assert here.is_ended()
