"""The host's steps of a review over a real repository and a real database, without agents: their answers are given."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from claude_pool_gh.conversation.review.check_findings import check_findings
from claude_pool_gh.conversation.review.earlier import EarlierFindings, earlier
from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.review.gather import gather, restored
from claude_pool_gh.conversation.review.memory import digest_of, is_read_whole, since_last
from claude_pool_gh.conversation.review.reading import difference
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import KnownFinding, ReviewBasis
from claude_pool_gh.github.errors import ForgeUnavailable
from claude_pool_gh.pool.model.digests import with_digests
from claude_pool_gh.pool.model.outcomes import Outcome
from claude_pool_gh.pool.model.ports import HostStepContext
from claude_pool_gh.reports.views import ReviewReport
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Actor, Repository, Thread
from claude_pool_gh.terms.links import Links
from claude_pool_gh.worktrees import history

Files = Mapping[str, str | None]


@dataclass
class Answers:
    """What GitHub answers by the path that is asked for, or refuses; without one it is away."""

    by_path: Mapping[str, Any] = field(default_factory=dict)
    still: dict[str, Any] = field(default_factory=dict)
    """The pull request, where nothing was said of it."""

    async def read(self, _repository: object, path: str, **_options: object) -> Any:
        for beginning, answer in self.by_path.items():
            if path.startswith(beginning):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        if self.still and not self.by_path and path.startswith("/pulls/"):
            return self.still
        raise ForgeUnavailable("away")


@dataclass
class Steps:
    """A pull request of which the host's steps are run one by one."""

    folder: Path
    database: Database
    base: str = ""
    heads: list[str] = field(default_factory=list)
    chains: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)

    @property
    def git(self) -> Path:
        return self.folder / ".git"

    def run(self, *args: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@y", *args],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: Files) -> str:
        """The head with these files; None removes one."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.run("add", "-A")
        self.run("commit", "-q", "--allow-empty", "-m", "m")
        self.heads.append(self.run("rev-parse", "HEAD"))
        return self.heads[-1]

    @property
    def services(self) -> Services:
        mirror = SimpleNamespace(path=self.git)
        services = SimpleNamespace(
            database=self.database,
            forge=self.answers,
            worktrees=SimpleNamespace(mirror=lambda _id: mirror, is_shallow=False),
            clock=SimpleNamespace(now_ms=lambda: 1_000 + self.chains),
            links=Links(server="https://github.com", public=None, download_key=b""),
        )
        return cast(Services, services)

    def facts(self, thread: int = 7) -> ReviewFacts:
        return ReviewFacts.model_validate(
            {
                "thread": Thread(
                    repository=Repository(id=1, owner="octo", name="shop"), number=thread
                ),
                "place": "pull",
                "requester": Actor(id=5, login="mona"),
                "line": "/pool review",
                "head": self.heads[-1],
                "base": self.base,
                "base_ref": "main",
                "default_branch": "main",
                **self.settings,
            }
        )

    def plan(self, facts: ReviewFacts) -> Any:
        return SimpleNamespace(context=facts.model_dump(mode="json"), steps=[], verb="review")

    async def brief(self, facts: ReviewFacts) -> dict[str, Any]:
        """What the first step says, as far as the later ones need it."""
        merge_base = await history.merge_base(self.git, facts.base, facts.head)
        before = await earlier(self.services, facts, self.git, merge_base, is_open=True)
        digest = digest_of(facts, self.plan(facts), "")
        against = ReviewBasis(head=facts.head, merge_base=merge_base, digest=digest)
        since = await since_last(self.services, facts, self.git, against)
        found = await difference(
            self.git,
            merge_base,
            facts.head,
            exclude=facts.settings.exclude,
            paths=facts.paths,
            since=None if since is None else since.changed,
        )
        read = found.changes
        told = {
            "merge_base": merge_base,
            "digest": digest,
            "files": len(read),
            "left_out": [],
            "generated": found.generated,
            "unread": [],
            "nothing": ""
            if read or since
            else "every changed file is generated, binary or excluded",
            "since": "" if since is None else since.head,
            "whole": await is_read_whole(self.services, facts, against, found),
            "without_lines": found.without_lines,
            "groups": [{"title": "all", "paths": [each.path for each in read], "gone": []}]
            if read
            else [],
            "hunks": {each.path: each.hunks for each in read},
            "unreadable": [],
            "unmatched": [],
            "renamed": {entry.path: entry.before for entry in found.listed if entry.status == "R"},
            "earlier": before.stored(),
        }
        return with_digests(told)

    async def review(
        self,
        claims: Sequence[Mapping[str, Any]] = (),
        judge: Any = None,
        *,
        opened: bool = True,
        thread: int = 7,
        ending: str = "completed",
    ) -> tuple[Outcome, ReviewReport, dict[str, Any]]:
        """One whole review: what the finder states, and for each candidate what its second reader says."""
        self.chains += 1
        facts = self.facts(thread)
        self.answers.still = pull(facts.head, facts.base_ref, facts.base)
        plan = self.plan(facts)
        results: dict[str, Any] = {"brief": await self.brief(facts)}
        looked = {"looked_at": {"files": ["any.py"]}} if opened else {}
        done = {
            "ending": ending,
            "structured": {"findings": [dict(each) for each in claims]},
            **looked,
        }
        results["find"] = [done] if results["brief"]["groups"] else []

        def context() -> HostStepContext:
            return HostStepContext(f"c{self.chains}", plan, results)

        checked = (await check_findings(self.services, context())).result
        results["check"] = checked
        results["verify"] = [
            _answered(each, judge, opened=opened) for each in checked["candidates"]
        ]
        end = await gather(self.services, context())
        if end.commit is not None:
            await self.database.transact(end.commit)
        return end.outcome, restored(end.result), results

    async def known(self, thread: int = 7) -> list[KnownFinding]:
        return await self.database.read(lambda tx: tables.every(tx, f"1:{thread}"))

    async def earlier(self) -> EarlierFindings:
        facts = self.facts()
        merge_base = await history.merge_base(self.git, facts.base, facts.head)
        return await earlier(self.services, facts, self.git, merge_base, is_open=True)


def pull(head: str, base_ref: str = "main", base: str = "0" * 40) -> dict[str, Any]:
    """The pull request as GitHub tells of it."""
    return {
        "number": 7,
        "title": "t",
        "body": "",
        "state": "open",
        "head": {"sha": head, "ref": "f", "repo": {"id": 1}},
        "base": {"sha": base, "ref": base_ref},
        "user": {"id": 5, "login": "mona", "type": "User"},
    }


def _answered(candidate: Mapping[str, Any], judge: Any, *, opened: bool) -> dict[str, Any]:
    said = judge(candidate) if callable(judge) else judge
    said = said if isinstance(said, dict) else {"verdict": said or "unsure"}
    files = [candidate["finding"]["path"], *([said["place"]["path"]] if "place" in said else [])]
    return {
        "ending": "completed",
        "structured": {"reason": "so it is", **said},
        "looked_at": {"files": files if opened else []},
    }


@contextmanager
def steps(folder: Path, base: Files, head: Files) -> Iterator[Steps]:
    """A repository with a base and a head."""
    database = Database.open(f"sqlite:///{folder}/pool.db")
    migrations.upgrade(database.engine)
    here = Steps(folder / "repository", database)
    here.folder.mkdir()
    here.run("init", "-q", "-b", "main")
    here.base = here.commit(base)
    here.commit(head)
    try:
        yield here
    finally:
        database.close()
