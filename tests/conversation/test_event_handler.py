"""What events change in our rows: a closed thread that is open again, a merge queue that asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.conversation.intake.event_handler import EventHandler
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.github import inbox, intake, thread_rows
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.tables import effects, threads
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository, Thread

PLACE = Repository(id=5, owner="octo", name="widgets", installation_id=9)
THREAD = Thread(repository=PLACE, number=3)
HEAD, OTHER, GROUP = "a" * 40, "b" * 40, "c" * 40


class Nobody:
    """Watches nothing."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Nothing is shown."""

    def committed(self) -> None:
        """Nothing is written."""


@pytest.fixture
def database(tmp_path: Path) -> Any:
    opened = Database.open(f"sqlite:///{tmp_path / 'pool.sqlite'}")
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


ABOUT: dict[str, Any] = {
    "repository": {"id": 5, "name": "widgets", "owner": {"id": 1, "login": "octo"}},
    "sender": {"id": 7, "login": "mona", "type": "User"},
    "installation": {"id": 9},
}


async def hear(database: Database, event: str, action: str, **more: Any) -> None:
    """Take a delivery in, as the web server does."""
    payload = {"action": action, **ABOUT, **more}
    delivery = VerifiedDelivery(f"guid-{event}-{action}", event, payload)
    found = intake.recognise(delivery)
    assert isinstance(found, intake.Found), found
    take = EventHandler(SystemClock(), Nobody()).take
    await database.transact(lambda tx: inbox.take_in(tx, delivery, found, 1, take))


def pull(head: str = HEAD) -> dict[str, Any]:
    return {
        "pull_request": {"number": 3, "head": {"sha": head}, "draft": False, "updated_at": "then"}
    }


FINDING = Finding(
    path="app.py",
    start_line=2,
    end_line=2,
    severity="high",
    category="correctness",
    title="t",
    body="b",
    scenario="s",
    evidence="return a / b",
    confidence=0.9,
)


async def test_what_a_closed_pull_request_left_is_open_again_with_it(database: Database) -> None:
    await database.transact(lambda tx: findings.remember(tx, "5:3", "c1", "review", [FINDING], 1))
    await hear(database, "pull_request", "closed", **pull())
    assert [each.state for each in await database.read(lambda tx: findings.every(tx, "5:3"))] == [
        "ignored"
    ]
    await hear(database, "pull_request", "reopened", **pull(OTHER))
    assert [each.state for each in await database.read(lambda tx: findings.every(tx, "5:3"))] == [
        "open"
    ]
    rows = await database.read(lambda tx: tx.execute(threads.select()).all())
    assert [(row.key, row.head, row.open) for row in rows] == [("5:3", OTHER, True)]


def review(conclusion: Any = "success", head: str = HEAD, status: Any = "completed") -> CheckRun:
    return CheckRun(
        name="claude-pool/review",
        head=head,
        status=status,
        conclusion=conclusion,
        title="Nothing found",
        summary="",
    )


async def test_the_branch_that_a_pull_request_goes_into_is_known_from_each_event_that_names_it(
    database: Database,
) -> None:
    def there(branch: str, head: str = HEAD) -> dict[str, Any]:
        return {"pull_request": pull(head)["pull_request"] | {"base": {"ref": branch}}}

    async def known() -> tuple[str, str]:
        told = await database.read(lambda tx: thread_rows.known(tx, "5:3"))
        assert told is not None
        return told.base, told.head

    title = {"action": "edited", "changes": {"title": {"from": "x"}}, **there("release")}
    told = intake.recognise(VerifiedDelivery("guid", "pull_request", title | ABOUT))
    assert isinstance(told, intake.NotForUs), "a title says nothing of what was read"
    await hear(database, "pull_request", "opened", **there("main"))
    assert await known() == ("main", HEAD)
    changes = {"base": {"ref": {"from": "main"}}}
    await hear(database, "pull_request", "edited", changes=changes, **there("release"))
    assert await known() == ("release", HEAD)
    await hear(database, "pull_request", "synchronize", **there("develop", OTHER))
    assert await known() == ("develop", OTHER)
    await hear(database, "pull_request", "closed", **there("develop", OTHER))
    await hear(database, "pull_request", "reopened", **there("main", HEAD))
    assert await known() == ("main", HEAD)


async def group(
    database: Database, *reviews: CheckRun, ref: str = f"pr-3-{'d' * 40}"
) -> list[CheckRun]:
    """What a merge queue is told about pull request 3 at HEAD, after these reviews."""

    def store(tx: Transaction) -> None:
        for each in reviews:
            want(tx, f"check:5:3:review:{each.head}", PLACE, each, 1)
        want(tx, f"check:5:31:review:{HEAD}", PLACE, review(), 1)  # of another

    await database.transact(store)
    await hear(database, "pull_request", "reopened", **pull())
    queued = {"head_sha": GROUP, "head_ref": f"refs/heads/gh-readonly-queue/main/{ref}"}
    await hear(database, "merge_group", "checks_requested", merge_group=queued)
    rows = await database.read(lambda tx: tx.execute(effects.select()).all())
    return [CheckRun.model_validate(row.wanted) for row in rows if row.key.startswith("group:")]


@pytest.mark.parametrize(
    ("reviews", "conclusion", "title"),
    [
        ([review()], "success", "Pull request 3: Nothing found"),
        ([review("failure")], "failure", "Pull request 3: Nothing found"),
        ([review("neutral")], "neutral", "Pull request 3: Nothing found"),
        ([review("action_required")], "neutral", "Pull request 3: Nothing found"),
        (
            [review(None, status="in_progress")],
            "neutral",
            "NOT REVIEWED: the review of pull request 3 was not",
        ),
        (
            [review(head=OTHER)],
            "neutral",
            "NOT REVIEWED: pull request 3 has no review at its present head",
        ),
        ([review(head=OTHER), review("failure")], "failure", "Pull request 3: Nothing found"),
    ],
)
async def test_a_merge_queue_is_told_what_the_pull_requests_own_check_says(
    database: Database, reviews: list[CheckRun], conclusion: str, title: str
) -> None:
    [told] = await group(database, *reviews)
    assert (told.name, told.head, told.status, told.conclusion) == (
        "claude-pool/review",
        GROUP,
        "completed",
        conclusion,
    )
    assert told.title.startswith(title)


async def test_a_queue_for_what_was_never_reviewed_is_told_nothing(database: Database) -> None:
    assert await group(database) == []


@pytest.mark.parametrize(
    "ref", ["main", "pr-3", "pr-x-" + "d" * 40, "pr-3-main", "pr-0-" + "d" * 40]
)
def test_a_group_that_names_no_pull_request_is_no_news(ref: str) -> None:
    body = {
        "action": "checks_requested",
        "repository": {"id": 5, "name": "widgets", "owner": {"id": 1, "login": "octo"}},
        "sender": {"id": 7, "login": "mona", "type": "User"},
        "merge_group": {"head_sha": GROUP, "head_ref": f"refs/heads/gh-readonly-queue/main/{ref}"},
    }
    assert isinstance(
        intake.recognise(VerifiedDelivery("guid-1234", "merge_group", body)), intake.NotForUs
    )
