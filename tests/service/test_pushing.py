"""What was approved is what is pushed: the kept work is made that very commit again, or nothing leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.github.access import PUSHING
from claude_pool_gh.github.api import Pusher
from claude_pool_gh.github.effects.change import Change
from claude_pool_gh.github.errors import (
    ForgeUnavailable,
    NotAsApproved,
    OperatorNeeded,
    PushDeclined,
)
from claude_pool_gh.pool.store import tasks
from claude_pool_gh.rehearsal.github import Repository, SimulatedGitHub
from claude_pool_gh.service.server.pushing import pusher
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database
from claude_pool_gh.terms import ids
from claude_pool_gh.worktrees.errors import OutOfDisk
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees
from claude_pool_gh.worktrees.snapshot import Signature
from tests.pool.make import NOW
from tests.service.seeded import Seeded, database_in
from tests.worktrees.site import Site

RUN = "c0ffee0000.find.0.1"
FIX = "refs/heads/pool/fix"


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as made:
        yield made


@pytest.fixture
def repository(github: SimulatedGitHub) -> Repository:
    return github.create_repository("octo/shop", files={"a.py": "a = 1\n"}, private=True)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = database_in(tmp_path)
    yield opened
    opened.close()


@dataclass
class Access:
    """Hands out one token, and remembers for what."""

    token: str
    asked: list[Any] = field(default_factory=list)

    async def token_once(self, repository: ids.Repository, permissions: Any) -> str:
        self.asked.append((repository.full_name, permissions))
        return self.token


@dataclass
class Pushing:
    """A server that pushes, and the work of an agent that it has kept."""

    push: Pusher
    site: Site
    access: Access
    change: Change

    @property
    def here(self) -> ids.Repository:
        own = self.site.widgets
        return ids.Repository(id=own.id, owner=own.owner.login, name=own.name)

    async def __call__(self, change: Change | None = None, ref: str = FIX) -> None:
        await self.push(self.here, ref, change or self.change, None)

    def branches(self) -> set[str]:
        return set(self.site.widgets.git.refs()) - {"refs/heads/main"}


@pytest.fixture
async def pushing(
    github: SimulatedGitHub, repository: Repository, database: Database, tmp_path: Path
) -> Pushing:
    token = github.create_installation_token(
        github.install(github.create_app("claude-pool"), "octo", [repository])
    )

    async def login(_repository: int, _fresh: bool) -> Credentials:
        return Credentials(token, repository.clone_url)

    worktrees = Worktrees(tmp_path / "state", login, tries=1)
    site = Site(worktrees, repository, token, tmp_path)
    async with site.lease() as lease:
        (lease.folder / "a.py").write_text("a = 2\n")
        work = await lease.capture()
    assert work is not None
    parent = repository.head()
    own = Signature(
        message="Fix a", name="claude-pool", email="bot@example.com", when_s=1_700_000_000
    )
    change = Change(
        run_id=RUN,
        parent=parent,
        commit=await worktrees.commit(repository.id, work, parent, own),
        message=own.message,
        author_name=own.name,
        author_email=own.email,
        made_s=own.when_s,
    )
    with database.engine.begin() as tx:
        Seeded(tx).queued()
        tasks.keep_work(tx, RUN, "c0ffee0000", work, NOW)
    access = Access(token)
    forge: Any = type("Forge", (), {"access": access})
    settings = Settings(GITHUB_SERVER_URL=f"{github.url}/")
    return Pushing(pusher(database, forge, worktrees, settings), site, access, change)


async def test_the_approved_commit_is_on_its_branch_with_a_token_for_that_alone(
    pushing: Pushing, repository: Repository
) -> None:
    await pushing()
    assert repository.head("pool/fix") == pushing.change.commit
    assert repository.read("pool/fix", "a.py") == b"a = 2\n"
    assert pushing.access.asked == [("octo/shop", PUSHING)]


@pytest.mark.parametrize(
    "other",
    [
        {"message": "Fix b"},
        {"author_name": "mallory"},
        {"author_email": "mallory@example.com"},
        {"made_s": 1_700_000_001},
        {"commit": "b" * 40},
    ],
)
async def test_what_gives_another_commit_than_was_approved_is_not_pushed(
    pushing: Pushing, other: dict[str, Any]
) -> None:
    with pytest.raises(NotAsApproved, match=r"the kept work gives \w{9}, and \w{9} was approved"):
        await pushing(pushing.change.model_copy(update=other))
    assert pushing.branches() == set()
    assert pushing.access.asked == [], "no token is asked for in vain"


async def test_work_that_is_not_kept_any_more_is_not_pushed(pushing: Pushing) -> None:
    with pytest.raises(NotAsApproved, match="is not kept any more"):
        await pushing(pushing.change.model_copy(update={"run_id": "another"}))
    assert pushing.branches() == set()


async def test_what_github_refuses_is_told_in_its_words(
    pushing: Pushing, repository: Repository
) -> None:
    hook = repository.git.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'POLICY: name a ticket' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushDeclined, match="POLICY: name a ticket"):
        await pushing()
    assert pushing.branches() == set()


async def test_a_branch_that_is_there_meanwhile_is_left_as_it_is(
    pushing: Pushing, repository: Repository
) -> None:
    other = repository.commit("pool/fix", {"b.py": "b = 1\n"})
    with pytest.raises(PushDeclined):
        await pushing()
    assert repository.head("pool/fix") == other


async def test_a_github_that_is_away_is_no_refusal(pushing: Pushing, database: Database) -> None:
    forge: Any = type("Forge", (), {"access": pushing.access})
    nowhere = Settings(GITHUB_SERVER_URL="http://127.0.0.1:9")
    push = pusher(database, forge, pushing.site.worktrees, nowhere)
    with pytest.raises(ForgeUnavailable):
        await push(pushing.here, FIX, pushing.change, None)


async def test_a_full_disk_is_for_the_operator(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_given: Any) -> None:
        raise OutOfDisk("no room in the state folder")

    monkeypatch.setattr(Worktrees, "fetch", full)
    with pytest.raises(OperatorNeeded, match="no room in the state folder"):
        await pushing()
