"""What a job's rows say of each of its commands: how it was answered, what its run came to, and what that cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.action import results
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.action.results import CommandResult
from claude_pool_gh.conversation.intake.command_policy import OUT_OF_REACH
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.github import command_rows, inbox, thread_rows
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.store import chains, ledger
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import CommentRef, Thread
from tests.conversation.simulated.kit import desk
from tests.conversation.test_progress import (
    MONA,
    REPOSITORY,
    _made,
    _progress,
    _running,
    _setting,
)
from tests.pool.make import NOW

THREAD = Thread(repository=REPOSITORY, number=7)
LINE = "/pool review"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        _setting(tx)
    yield opened
    opened.close()


def given(database: Database, answer: str = "", *, place: int = 0, chain: str = "") -> str:
    """A command with this answer, and the run that it started."""
    request = CommandRequest(
        thread=THREAD, actor=MONA, source=CommentRef(id=5), line=LINE, ordinal=place
    )
    with database.engine.begin() as tx:
        inbox.store(tx, request, NOW + place)
        if chain:
            _made(tx, chain, NOW + place)
            command_rows.begin(tx, request.key, chain)
        if answer:
            command_rows.close(tx, request.key, answer)
    return request.key


def read(database: Database, *keys: str) -> tuple[CommandResult, ...]:
    with database.engine.begin() as tx:
        return results.read(tx, _progress(), keys or None)


def end(database: Database, verdict: Verdict, conclusion: str = "") -> None:
    """Let the run be over, and its check conclude so."""
    with database.engine.begin() as tx:
        chain = chains.get(tx, "run")
        chains.finish(tx, chain, Outcome(verdict=verdict, reason="it broke"), NOW)
        if conclusion:
            check = CheckRun(
                name="claude-pool/review",
                head="a" * 40,
                status="completed",
                conclusion=conclusion,
                title="t",
                summary="s",
            )
            key = CheckKey.of(THREAD, "review", check.head).format()
            rows.want(tx, key, REPOSITORY, check, NOW)


@pytest.mark.parametrize(
    ("answer", "outcome", "red", "title"),
    [
        ("", Verdict.failed, True, "it was not begun before the job ended"),
        ("answered", Verdict.answered, False, "answered"),
        ("done", JobOutcome.done, False, "done"),
        ("refused: cap", JobOutcome.refused, False, "cap"),
        (
            "silence: the bot never obeys itself",
            JobOutcome.nothing,
            False,
            "the bot never obeys itself",
        ),
        # GitHub let it read too little to answer at all
        (f"silence: {OUT_OF_REACH}: 403", JobOutcome.misconfigured, True, f"{OUT_OF_REACH}: 403"),
        ("given up: GitHub is away", Verdict.failed, True, "GitHub is away"),
    ],
)
def test_a_command_without_a_run_is_told_by_its_answer_and_the_reason(
    database: Database, answer: str, outcome: str, title: str, *, red: bool
) -> None:
    given(database, answer)
    assert read(database) == (CommandResult(line=LINE, outcome=outcome, red=red, title=title),)


@pytest.mark.parametrize(
    ("verdict", "conclusion", "red"),
    [
        (Verdict.answered, "", False),
        (Verdict.findings, "neutral", False),
        # from the configured severity up the check is a failure, and the job with it
        (Verdict.findings, "failure", True),
        (Verdict.out_of_budget, "", True),
        (Verdict.cancelled, "cancelled", False),
    ],
)
def test_a_run_is_as_red_as_its_end_or_its_check(
    database: Database, verdict: Verdict, conclusion: str, *, red: bool
) -> None:
    given(database, "started", chain="run")
    with database.engine.begin() as tx:
        task = _running(tx, "run")
        ledger.reserve_request(tx, "r", task.run_id, "m", 4, NOW)
        ledger.settle_request(tx, "r", 3, NOW)
    end(database, verdict, conclusion)
    (found,) = read(database)
    assert (found.outcome, found.red, found.chain_id) == (verdict, red, "run")
    assert (found.cost, found.upper_bound, found.findings, found.gate) == (3, False, None, "")
    assert found.title
    with database.engine.begin() as tx:
        assert results.spent(tx) == 3


def test_a_run_that_came_to_no_end_has_failed_for_its_job_and_is_alive_for_the_next(
    database: Database,
) -> None:
    key, other = given(database, "started", chain="run"), given(database, "answered", place=1)
    (found, _) = read(database)
    assert (found.outcome, found.red, found.chain_id) == (Verdict.failed, True, "run")
    with database.engine.begin() as tx:
        assert results.live(tx, [key, other]) == {"run"}
        assert results.live(tx, [other]) == frozenset()
    end(database, Verdict.answered)
    with database.engine.begin() as tx:
        assert results.live(tx, [key, other]) == frozenset()


def test_a_job_reads_its_own_commands_in_their_order_and_without_a_choice_all(
    database: Database,
) -> None:
    second, first = given(database, "done", place=2), given(database, "answered", place=1)
    assert [each.outcome for each in read(database)] == [Verdict.answered, JobOutcome.done]
    assert [each.outcome for each in read(database, second, first)] == [
        Verdict.answered,
        JobOutcome.done,
    ]
    assert [each.outcome for each in read(database, second)] == [JobOutcome.done]


async def test_a_patch_that_waits_makes_no_job_red_as_long_as_it_can_be_approved(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as here:
        chain_id, gate = here.shown(here.facts())
        request = CommandRequest(
            thread=here.thread(), actor=MONA, source=CommentRef(id=5), line="/pool fix"
        )

        def begin(tx: Transaction) -> None:
            inbox.store(tx, request, NOW)
            command_rows.begin(tx, request.key, chain_id)
            command_rows.close(tx, request.key, "started")

        here.do(begin)
        progress = Progress(here.clock, here.verbs)
        (found,) = here.do(lambda tx: results.read(tx, progress))
        assert (found.outcome, found.red, found.gate) == (
            JobOutcome.awaiting_approval,
            False,
            gate,
        )
        here.do(lambda tx: thread_rows.note(tx, here.facts().key, head="f" * 40))
        (stale,) = here.do(lambda tx: results.read(tx, progress))
        assert (stale.outcome, stale.red, stale.gate) == (Verdict.failed, True, "")
        here.end(chain_id, Verdict.cancelled)
        (over,) = here.do(lambda tx: results.read(tx, progress))
        assert (over.outcome, over.gate) == (Verdict.cancelled, "")
