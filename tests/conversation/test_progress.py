"""What a change of a chain costs in statements, since it is shown in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.intake.event_handler import EventHandler
from claude_pool_gh.conversation.tracking import queue_position
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.github.repository_events import (
    BaseChanged,
    HeadMoved,
    ThreadClosed,
    ThreadReopened,
)
from claude_pool_gh.github.tables import effects, threads
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.errors import UnknownChain
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan
from claude_pool_gh.pool.model.ports import AgentOutcome, Ending
from claude_pool_gh.pool.store import chains, ledger, slot_rows, steps, tasks
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Actor, Repository, Thread
from tests.pool.make import DAY, NOW, caps, plan
from tests.statements import asked

MOST = 8
"""Statements that show a chain, whatever changed; 22 before this was counted."""
REPOSITORY = Repository(id=1, owner="octo", name="shop")
MONA = Actor(id=7, login="mona")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/a.sqlite" if sqlite else request.getfixturevalue("postgres")()
    database = Database.open(url)
    migrations.upgrade(database.engine)
    yield database
    database.close()


def test_showing_a_change_costs_at_most_eight_statements(database: Database) -> None:
    """However many runs came before it, and wherever it is."""
    counts: dict[str, int] = {}
    with database.engine.begin() as tx:
        _setting(tx)
        for number in range(9):
            _ended(tx, f"before-{number}", NOW - DAY * (10 - number))
        _made(tx, "now", NOW)
        counts["queued"] = _statements(tx, "now")
        run = _running(tx, "now")
        counts["running"] = _statements(tx, "now")
        ledger.reserve_request(tx, "r", run.run_id, "m", 1, NOW)
        ledger.settle_request(tx, "r", 1, NOW)
        counts["spending"] = _statements(tx, "now")
        tasks.end(tx, run, AgentOutcome(ending=Ending.completed, text="fine"), NOW)
        counts["between"] = _statements(tx, "now")
        assert counts == dict.fromkeys(counts, MOST)
        chains.finish(tx, chains.get(tx, "now"), Outcome(verdict=Verdict.answered), NOW)
        assert _statements(tx, "now") <= MOST + 4  # the end is told once, to whoever asked


def test_each_further_chain_whose_place_changes_costs_less_than_that(database: Database) -> None:
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "now", NOW)
        _running(tx, "now")
        for number in range(3):
            _made(tx, f"next-{number}", NOW + number, thread=number + 20)
        one = _statements(tx, "now")
    assert one == MOST + 3 * (MOST - 1)  # the line is read once


def test_a_chain_that_belongs_to_no_thread_is_shown_nowhere(database: Database) -> None:
    with database.engine.begin() as tx:
        _setting(tx)
        before = tx.execute(sa.select(effects.c.key)).all()
        assert chains.create(
            tx,
            "task",
            plan("task"),
            {},
            caps(thread=None, user_day=None, repository_month=None),
            NOW,
        )
        _progress().changed(tx, "task")
        assert _progress().whole(tx, "task") == ""
        assert tx.execute(sa.select(effects.c.key)).all() == before
        with pytest.raises(UnknownChain):
            _progress().changed(tx, "none")


def test_what_a_thread_shows_is_its_newest_chain_and_the_runs_before_it(database: Database) -> None:
    progress = _progress()
    with database.engine.begin() as tx:
        _setting(tx)
        for number in range(7):
            _ended(tx, f"before-{number}", NOW - DAY * (10 - number))
        _made(tx, "now", NOW)
        progress.changed(tx, "now")
        first = _comment(tx)
        assert [
            line_ for line_ in first.splitlines() if "aaaaaaaaa" in line_ and "now" not in line_
        ]
        progress.changed(tx, "before-3")  # an earlier one does not take the comment over
        assert _comment(tx) == first
        _made(tx, "later", NOW + 1)
        progress.changed(tx, "now")
        assert _comment(tx) != first
        assert "later" in _comment(tx)
        assert "later" not in progress.whole(tx, "now")


def test_wanting_the_same_again_changes_nothing_and_another_thing_is_a_new_version(
    database: Database,
) -> None:
    progress = _progress()
    version = sa.select(effects.c.wanted_version, effects.c.state).where(
        effects.c.kind == "comment"
    )
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "now", NOW)
        progress.changed(tx, "now")
        progress.changed(tx, "now")
        assert tx.execute(version).one() == (1, "wanted")
        tx.execute(effects.update().values(state="written", written_version=1))
        progress.changed(tx, "now")
        assert tx.execute(version).one() == (1, "written")
        _running(tx, "now")
        progress.changed(tx, "now")
        assert tx.execute(version).one() == (2, "wanted")
        tx.execute(effects.update().values(state="gone"))
        chains.finish(tx, chains.get(tx, "now"), Outcome(verdict=Verdict.cancelled), NOW)
        progress.changed(tx, "now")
        assert tx.execute(version).one() == (3, "gone")


def test_no_push_makes_a_review_of_another_base_green_again(database: Database) -> None:
    """Whoever opened a pull request may retarget it: a review against a branch with the same code says nothing."""
    thread = Thread(repository=REPOSITORY, number=7)
    head, other = "a" * 40, "b" * 40
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "now", NOW)
        begun = chains.begin(tx, chains.get(tx, "now"), NOW)
        chains.finish(tx, begun, Outcome(verdict=Verdict.clean), NOW)
        progress: Any = _progress()
        events = EventHandler(SystemClock(), progress)
        progress.changed(tx, "now")
        assert _conclusion(tx) == "success"
        events.take(tx, BaseChanged(thread, "release"))
        assert _conclusion(tx) == "neutral"
        for moved in (other, head):
            events.take(tx, HeadMoved(thread, moved, "release"))
            assert _conclusion(tx) == "neutral"
        events.take(tx, BaseChanged(thread, "main"))
        assert _conclusion(tx) == "success", "that is what was read"


@pytest.mark.parametrize("told_first", [True, False])
def test_another_base_is_told_of_at_whatever_moment_of_the_end(
    database: Database, told_first: bool
) -> None:
    """Between the last look at the pull request and the end of its review nobody asks any more."""
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "now", NOW)
        begun = chains.begin(tx, chains.get(tx, "now"), NOW)
        progress: Any = _progress()
        news = BaseChanged(Thread(repository=REPOSITORY, number=7), "release")
        if told_first:
            EventHandler(SystemClock(), progress).take(tx, news)
        chains.finish(tx, begun, Outcome(verdict=Verdict.clean), NOW)
        progress.changed(tx, "now")
        if not told_first:
            EventHandler(SystemClock(), progress).take(tx, news)
        assert _conclusion(tx) == "neutral"


def test_a_commit_is_green_only_where_every_open_pull_request_at_it_is(database: Database) -> None:
    """GitHub shows the newest check of a name at a commit, whichever pull request it was made for."""
    head = "a" * 40
    first = Thread(repository=REPOSITORY, number=7)
    with database.engine.begin() as tx:
        _setting(tx)
        observer: Any = _progress()
        events = EventHandler(SystemClock(), observer)
        for number, verdict in ((7, Verdict.findings), (8, Verdict.clean)):
            events.take(tx, HeadMoved(Thread(repository=REPOSITORY, number=number), head, "main"))
            _reviewed(tx, f"of-{number}", number, verdict)
            observer.changed(tx, f"of-{number}")
        assert _conclusions(tx) == {7: "neutral", 8: "neutral"}
        _reviewed(tx, "again", 7, Verdict.clean, NOW + 5)
        observer.changed(tx, "again")
        assert _conclusions(tx) == {7: "success", 8: "success"}, (
            "each is told when the other changes"
        )
        _reviewed(tx, "worse", 7, Verdict.findings, NOW + 9)
        observer.changed(tx, "worse")
        assert _conclusions(tx)[8] == "neutral"
        events.take(tx, ThreadClosed(first))
        assert _conclusions(tx)[8] == "success", "what is closed is merged nowhere"
        events.take(tx, ThreadReopened(first, head, "main"))
        assert _conclusions(tx)[8] == "neutral"
        events.take(tx, HeadMoved(first, "b" * 40, "main"))
        assert _conclusions(tx)[8] == "success"


def _reviewed(
    tx: Transaction, chain_id: str, number: int, verdict: Verdict, now_ms: int = NOW
) -> None:
    _made(tx, chain_id, now_ms, thread=number)
    begun = chains.begin(tx, chains.get(tx, chain_id), now_ms)
    chains.finish(tx, begun, Outcome(verdict=verdict), now_ms)


def _conclusions(tx: Transaction) -> dict[int, str]:
    wanted = sa.select(effects.c.key, effects.c.wanted).where(effects.c.kind == "check")
    return {int(key.split(":")[2]): str(each["conclusion"]) for key, each in tx.execute(wanted)}


def _conclusion(tx: Transaction) -> str:
    wanted = sa.select(effects.c.wanted).where(effects.c.kind == "check")
    return str(tx.execute(wanted).scalar_one()["conclusion"])


def test_a_statement_more_would_be_counted(database: Database) -> None:
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "now", NOW)
        with asked(tx) as seen:
            _progress().changed(tx, "now")
            queue_position.read(tx)
    assert len(seen) == MOST + 1


def _progress() -> Progress:
    return Progress(SystemClock(), registry.handlers())


def _statements(tx: Transaction, chain_id: str) -> int:
    with asked(tx) as seen:
        _progress().changed(tx, chain_id)
    return len(seen)


def _comment(tx: Transaction) -> str:
    return str(
        tx.execute(sa.select(effects.c.wanted).where(effects.c.kind == "comment")).scalar_one()[
            "body"
        ]
    )


def _setting(tx: Transaction) -> None:
    slot_rows.register(tx, "w", [SlotConfig()])
    tx.execute(threads.insert().values(key="1:7", head="b" * 40, open=True))


def _made(tx: Transaction, chain_id: str, now_ms: int, thread: int = 7) -> None:
    facts = ThreadFacts(
        thread=Thread(repository=REPOSITORY, number=thread),
        place="pull",
        requester=MONA,
        line="/pool review",
        head="a" * 40,
        base_ref="main",
        default_branch="main",
    )
    settings: dict[str, Any] = {"settings": {}}
    plan = Plan(
        verb="review",
        steps=(AgentRun(name="find", prompt="p"), AgentRun(name="check", prompt="q")),
        limits=Limits(task=5, chain=30, wall_seconds=60, idle_seconds=60),
        context=facts.model_dump(mode="json") | settings,
    )
    place = f"1:{thread}"
    account = {"conversation": place, "thread": place, "user": "7", "repository": "1"}
    limits = caps(thread=10**9, user_day=10**9, repository_month=10**9, pool=10**9)
    labels = chains.ChainLabels(head=facts.head, requester=MONA.login)
    assert chains.create(tx, chain_id, plan, account, limits, now_ms, labels)


def _running(tx: Transaction, chain_id: str) -> tasks.TaskRow:
    chain = chains.begin(tx, chains.get(tx, chain_id), NOW)
    steps.begin(tx, chain.steps[0], NOW)
    tasks.add(tx, f"{chain_id}.find.0", chain_id, "find", 0, "all of it", NOW)
    task = tasks.begin(tx, tasks.get(tx, f"{chain_id}.find.0"), "slot-0", "m", NOW)
    ledger.reserve_task(tx, task.run_id, chain_id, "find", most=5, least=1, now_ms=NOW)
    slot_rows.occupy(tx, "slot-0", "w", SlotConfig(), task.id)
    return task


def _ended(tx: Transaction, chain_id: str, now_ms: int) -> None:
    _made(tx, chain_id, now_ms)
    chain = chains.begin(tx, chains.get(tx, chain_id), now_ms)
    chains.finish(
        tx, chain, Outcome(verdict=Verdict.failed, reason="it broke", operator=True), now_ms
    )
