"""What a job's attempt is for: what came to nothing is given anew, and what was done or goes on is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.action import rerun
from claude_pool_gh.github import command_rows, inbox
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.store import chains
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import CommentRef, Thread
from tests.conversation.test_progress import MONA, REPOSITORY, _made, _setting
from tests.pool.make import NOW

THREAD = Thread(repository=REPOSITORY, number=7)
ASKED = CommandRequest(thread=THREAD, actor=MONA, source=CommentRef(id=5), line="/pool review")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        _setting(tx)
    yield opened
    opened.close()


def handled(
    database: Database, answer: str = "", *, attempt: int = 1, verdict: Verdict | None = None
) -> None:
    """An earlier attempt's form of the command: answered so, with a run that has ended so, or none of both yet."""
    form = ASKED.model_copy(update={"ordinal": 1_000 * (attempt - 1)})
    with database.engine.begin() as tx:
        inbox.store(tx, form, NOW + attempt)
        if answer == "started":
            _made(tx, f"run-{attempt}", NOW + attempt)
            command_rows.begin(tx, form.key, f"run-{attempt}")
        if verdict is not None:
            begun = chains.begin(tx, chains.get(tx, f"run-{attempt}"), NOW)
            chains.finish(tx, begun, Outcome(verdict=verdict, reason="so"), NOW)
        if answer:
            command_rows.close(tx, form.key, answer)


def meant(database: Database, attempt: int) -> int:
    """Which attempt's form of the command an attempt is for."""
    with database.engine.begin() as tx:
        (found,) = rerun.meant(tx, [ASKED], attempt)
    assert found.model_copy(update={"ordinal": 0}) == ASKED
    return found.ordinal // 1_000 + 1


@pytest.mark.parametrize("attempt", [1, 2, 5])
def test_a_command_that_nobody_has_heard_of_is_itself_at_whatever_attempt(
    database: Database, attempt: int
) -> None:
    """The first attempt may have ended before it kept anything."""
    assert meant(database, attempt) == 1


@pytest.mark.parametrize(
    ("answer", "anew"),
    [
        ("", False),  # it still waits, and is handled now
        ("answered", False),
        ("done", False),
        ("joined", False),
        ("silence: the bot never obeys itself", False),
        ("refused", True),
        ("refused: cap", True),
        ("given up: GitHub could not be reached", True),
    ],
)
def test_a_command_without_a_run_is_given_anew_where_nothing_was_done_of_it(
    database: Database, answer: str, *, anew: bool
) -> None:
    handled(database, answer)
    assert meant(database, 2) == (2 if anew else 1)


@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_a_run_is_begun_anew_where_it_came_to_nothing_and_goes_on_by_itself_otherwise(
    database: Database, verdict: Verdict | None
) -> None:
    handled(database, "started", verdict=verdict)
    anew = verdict in (
        Verdict.failed,
        Verdict.cancelled,
        Verdict.quota,
        Verdict.out_of_budget,
        Verdict.out_of_turns,
    )
    assert meant(database, 2) == (2 if anew else 1)


def test_the_newest_form_decides_and_the_new_one_is_of_the_present_attempt(
    database: Database,
) -> None:
    handled(database, "started", attempt=1, verdict=Verdict.failed)
    handled(database, "started", attempt=2, verdict=Verdict.clean)
    assert [meant(database, attempt) for attempt in (1, 2, 3)] == [1, 2, 2]
    handled(database, "refused", attempt=3)
    assert [meant(database, attempt) for attempt in (3, 5)] == [3, 5]


def test_each_of_several_commands_is_judged_by_itself(database: Database) -> None:
    handled(database, "refused")
    other = ASKED.model_copy(update={"ordinal": 1, "line": "/pool status"})
    with database.engine.begin() as tx:
        first, second = rerun.meant(tx, [ASKED, other], 2)
    assert (first.ordinal, second.ordinal) == (1_000, 1)
    assert first.key != second.key
