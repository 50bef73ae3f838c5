"""A command that an event gives, and that another workflow's job has taken: of the same words at the same commit."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from claude_pool_gh.action import claims
from claude_pool_gh.conversation import registry
from claude_pool_gh.github.access import JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.store import chains
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Fault, Respond, SimulatedGitHub
from claude_pool_gh.rehearsal.github import Repository as Shop
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import CommentRef, Repository, Source, Thread, Trigger
from tests.action.conftest import WRITE
from tests.conversation.test_progress import MONA, REPOSITORY, _made, _setting
from tests.pool.make import NOW

HEAD, OTHER = "a" * 40, "b" * 40
CHECKS = "/repos/{owner}/{repo}/commits/{ref}/check-runs"
EVENT = Trigger(kind="opened", id="1")
VERBS = {name: handler.verb for name, handler in registry.handlers().items()}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """With a review of thread 7 at HEAD, asked for as `/pool review`, that runs."""
    opened = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        _setting(tx)
        _made(tx, "before", NOW)
    yield opened
    opened.close()


def asking(line: str = "/pool review", source: Source = EVENT, number: int = 7) -> CommandRequest:
    thread = Thread(repository=REPOSITORY, number=number)
    return CommandRequest(thread=thread, actor=MONA, source=source, line=line)


def taken(database: Database, request: CommandRequest, head: str = HEAD) -> bool:
    with database.engine.begin() as tx:
        return claims.is_taken(tx, request, head, VERBS)


@pytest.mark.parametrize(
    ("event", "payload", "head"),
    [
        ("pull_request", {"pull_request": {"head": {"sha": HEAD}}}, HEAD),
        ("pull_request", {"pull_request": {"head": {"sha": None}}}, ""),
        ("pull_request", {"pull_request": {"head": None}}, ""),
        ("pull_request", {"pull_request": {}}, ""),
        ("pull_request", {"pull_request": None}, ""),
        ("pull_request", {}, ""),
        ("pull_request", {"pull_request": {"head": {"sha": HEAD}}, "changes": {"title": {}}}, HEAD),
        # the same commit changes something else now
        ("pull_request", {"pull_request": {"head": {"sha": HEAD}}, "changes": {"base": {}}}, ""),
        # there a person asks, and is answered each time
        ("pull_request_review", {"pull_request": {"head": {"sha": HEAD}}}, ""),
        ("issue_comment", {"pull_request": {"head": {"sha": HEAD}}}, ""),
    ],
)
def test_only_a_pull_requests_own_event_asks_by_itself(
    event: str, payload: Mapping[str, Any], head: str
) -> None:
    assert claims.head_of(event, payload) == head


@pytest.mark.parametrize(
    ("request_", "head", "is_taken"),
    [
        (asking(), HEAD, True),
        (asking("/pool   review "), HEAD, True),
        (asking(source=Trigger(kind="label", id="2")), HEAD, True),
        (asking(), OTHER, False),
        (asking(), "", False),
        (asking("/pool review --effort high"), HEAD, False),
        (asking("/pool fix"), HEAD, False),
        (asking("/pool nothing of this kind"), HEAD, False),
        (asking(number=8), HEAD, False),
        (asking(source=CommentRef(id=5)), HEAD, False),
    ],
    ids=[
        "the same",
        "other blanks",
        "a label",
        "another commit",
        "of no commit",
        "other words",
        "another verb",
        "a mistake",
        "another thread",
        "a person asks",
    ],
)
def test_the_same_command_is_taken_where_a_run_of_it_is_on_its_way_at_the_same_commit(
    database: Database, request_: CommandRequest, head: str, *, is_taken: bool
) -> None:
    assert taken(database, request_, head) is is_taken


@pytest.mark.parametrize("verdict", Verdict)
def test_a_run_that_came_to_nothing_takes_nothing(database: Database, verdict: Verdict) -> None:
    with database.engine.begin() as tx:
        chain = chains.begin(tx, chains.get(tx, "before"), NOW)
        chains.finish(tx, chain, Outcome(verdict=verdict, reason="so"), NOW)
    came_to_something = verdict in (
        Verdict.clean,
        Verdict.findings,
        Verdict.unsettled,
        Verdict.answered,
        Verdict.skipped,
    )
    assert taken(database, asking()) is came_to_something


def test_a_failed_run_hides_no_earlier_one_that_came_to_something(database: Database) -> None:
    with database.engine.begin() as tx:
        _made(tx, "later", NOW + 1)
        chain = chains.begin(tx, chains.get(tx, "later"), NOW + 1)
        chains.finish(tx, chain, Outcome(verdict=Verdict.failed, reason="it broke"), NOW + 2)
    assert taken(database, asking())


# ---- by the check that stands there


@dataclass(frozen=True)
class Checks:
    """GitHub, and who reads and writes its checks with a job's token."""

    github: SimulatedGitHub
    shop: Shop
    forge: Forge
    thread: Thread

    async def at_new_commit(self, *checks: dict[str, Any]) -> str:
        """A commit with these checks, each of which is ours and of the thread's review unless it says otherwise."""
        head = self.shop.commit("main", {"a.py": uuid.uuid4().hex})
        usual = {
            "name": "claude-pool/review",
            "head_sha": head,
            "external_id": CheckKey.of(self.thread, "review", head).format(),
        }
        for check in checks:
            await self.forge.call("POST", self.thread.repository, "/check-runs", usual | check)
        return head

    async def show(self, head: str, source: Source = EVENT) -> bool:
        request = asking(source=source).model_copy(update={"thread": self.thread})
        return await claims.is_shown(self.forge, request, head, VERBS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checks]:
    folder = tmp_path_factory.mktemp("github")
    async with SimulatedGitHub.start(folder) as github, aiohttp.ClientSession() as session:
        shop, pull, _ = stage.set_up(github)
        token = github.create_token(github.actions_bot, shop, WRITE)
        forge = Forge(session, github.api_url, JobAccess(session, github.api_url, token))
        repository = Repository(id=shop.id, owner="octo", name="shop")
        yield Checks(github, shop, forge, Thread(repository=repository, number=pull.number))


STARTED = {"status": "in_progress"}


def ended(conclusion: str, title: str = "2 findings") -> dict[str, Any]:
    told = {"title": title, "summary": "s"}
    return {"status": "completed", "conclusion": conclusion, "output": told}


@pytest.mark.parametrize(
    ("there", "is_shown"),
    [
        ([], False),
        ([STARTED], True),
        ([{"status": "queued"}], True),
        ([ended("success")], True),
        ([ended("neutral")], True),
        ([ended("action_required")], True),
        ([ended("failure")], False),
        ([ended("cancelled")], False),
        ([ended("neutral", f"{claims.NOT_REVIEWED}: the budget was too small")], False),
        ([ended("failure"), ended("success")], True),
        # whoever asked last does not hide who asked before
        ([ended("success"), ended("failure")], True),
        ([STARTED | {"name": "claude-pool/audit"}], False),
        ([STARTED | {"external_id": "check:1:999:review:"}], False),
        ([STARTED | {"external_id": ""}], False),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_job_that_knows_of_no_earlier_one_asks_for_the_checks_at_the_commit(
    checks: Checks, there: list[dict[str, Any]], *, is_shown: bool
) -> None:
    assert await checks.show(await checks.at_new_commit(*there)) is is_shown


@pytest.mark.asyncio(loop_scope="module")
async def test_for_a_person_or_without_a_commit_github_is_not_even_asked(checks: Checks) -> None:
    head = await checks.at_new_commit(STARTED)
    before = len(checks.github.requests)
    assert not await checks.show(head, CommentRef(id=5))
    assert not await checks.show("")
    assert len(checks.github.requests) == before


@pytest.mark.asyncio(loop_scope="module")
async def test_what_cannot_be_read_takes_nothing(checks: Checks) -> None:
    head = await checks.at_new_commit(STARTED)
    assert await checks.show(head)
    checks.github.faults.add(Fault(Respond(403), method="GET", route=CHECKS))
    assert not await checks.show(head)
