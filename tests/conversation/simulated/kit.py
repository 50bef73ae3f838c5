"""A bot that hears commands and answers them, on a simulated GitHub and a real store; no agent works for it.

What it would run is a chain in the rows, and what it would write is wanted there: both can be looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import sqlalchemy as sa

from claude_pool_gh.config.model import Changes, RepositoryConfig
from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.changes import open_gates
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts, with_limits
from claude_pool_gh.conversation.changes.gates import gate_id, plan_digest
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.intake.command_policy import CommandPolicy
from claude_pool_gh.conversation.intake.command_worker import CommandWorker
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.conversation.services import Defaults, Services
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.github import inbox
from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest, requests
from claude_pool_gh.github.tables import commands, effects
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Limits, Plan
from claude_pool_gh.pool.model.ports import CapturedChange
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, steps, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.rehearsal.github import (
    Installation,
    Issue,
    Pull,
    Repository,
    ReviewComment,
    SimulatedGitHub,
    User,
)
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms import ids
from claude_pool_gh.terms.links import Links
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees
from tests.pool.make import DAY, NOW, caps

T = TypeVar("T")
CONFIG = ".github/claude-pool.yml"
PATCH = b"""\
diff --git a/app.py b/app.py
index 7898192..6178079 100644
--- a/app.py
+++ b/app.py
@@ -1 +1 @@
-a
+b
"""
CHANGE = (
    AgentRun(name="mend", prompt="p"),
    HostCall(name="propose", call="change.propose", gate=True, again_from="mend"),
    HostCall(name="push", call="change.push"),
)


@dataclass
class Clock:
    """A clock that a test sets."""

    now: int = NOW

    def now_ms(self) -> int:
        return self.now


@dataclass(frozen=True)
class Watching:
    """The pool's observer; nobody is woken."""

    progress: Progress

    def changed(self, tx: Transaction, chain_id: str) -> None:
        self.progress.changed(tx, chain_id)

    def committed(self) -> None:
        pass


@dataclass(frozen=True)
class Heard:
    """What came of a command."""

    answer: str
    """In the words of the log."""
    text: str
    """What is to be said below it; "" for nothing."""
    reaction: str
    """What its comment is to show."""
    chain: ChainRow | None


@dataclass
class Desk:
    """The bot, and the repository in which people talk to it."""

    github: SimulatedGitHub
    shop: Repository
    installation: Installation
    mona: User
    """She may write."""
    issue: Issue
    pull: Pull
    database: Database
    clock: Clock
    services: Services
    worker: CommandWorker
    made: int = 0

    @property
    def repository(self) -> ids.Repository:
        return ids.Repository(
            id=self.shop.id, owner="octo", name="shop", installation_id=self.installation.id
        )

    def thread(self, at: Issue | None = None) -> ids.Thread:
        return ids.Thread(repository=self.repository, number=(at or self.pull).number)

    def user(self, login: str, role: Any = "none") -> User:
        user = self.github.create_user(login)
        self.shop.grant(user, role)
        return user

    @property
    def bot(self) -> User:
        return self.installation.app.bot

    @property
    def verbs(self) -> Mapping[str, VerbHandler]:
        return self.worker.judge.verb_handlers

    def topic(self, base: str = "main", *, branch: str = "", **more: Any) -> Pull:
        """Another pull request, from a branch of its own, on another day: nobody's caps are used up."""
        self.made += 1
        self.clock.now += DAY
        branch = branch or f"topic{self.made}"
        self.shop.git.set_ref(f"refs/heads/{branch}", self.pull.head_sha)
        return self.shop.open_pull(branch, base, **{"author": self.mona} | more)

    def problem(self) -> Issue:
        """Another issue, on another day."""
        self.clock.now += DAY
        return self.shop.open_issue("Slow", author=self.mona)

    @contextmanager
    def configured(self, text: str) -> Iterator[None]:
        """Have a configuration on the default branch for a while."""
        self.shop.commit("main", {CONFIG: text})
        yield
        self.shop.commit("main", {CONFIG: None})

    # ---- what people say

    async def request(
        self,
        line: str,
        by: User | None = None,
        at: Issue | None = None,
        under: ReviewComment | None = None,
        **more: Any,
    ) -> CommandRequest:
        """A command in a new comment, or in an answer to an inline one, as intake would make it."""
        user = by or self.mona
        if under is None:
            said = await self.github.comment(user, self.shop, (at or self.pull).number, line)
            source = ids.CommentRef(id=said.id)
        else:
            answer = await self.github.reply(user, under, line)
            source = ids.CommentRef(id=answer.id, kind="review_comment", root=under.id)
        actor = ids.Actor(id=user.id, login=user.login, is_human=user.type == "User")
        (found, *_) = requests(line, thread=self.thread(at), actor=actor, source=source)
        return found.model_copy(update=more)

    async def say(
        self,
        line: str,
        by: User | None = None,
        at: Issue | None = None,
        under: ReviewComment | None = None,
        **more: Any,
    ) -> Heard:
        """What comes of a comment that says this."""
        return await self.hear(await self.request(line, by, at, under, **more))

    def commented(self, pull: Pull, text: str, by: User) -> ReviewComment:
        """An inline comment on the first line of the change."""
        line = {"path": "app.py", "line": 1, "side": "RIGHT", "body": text}
        self.shop.review(pull, by, comments=[line])
        return pull.review_comments[-1]

    async def hear(self, request: CommandRequest, tries: int = 1) -> Heard:
        """What comes of a command; of one that is postponed, so many times."""
        self.clock.now += 1
        before = await self.wanted("reply")
        assert self.do(lambda tx: inbox.store(tx, request, self.clock.now))
        query = sa.select(commands.c.answer).where(commands.c.key == request.key)
        chain_id, answer = None, None
        for _ in range(tries):
            chain_id = await self.worker.handle_next()
            if (answer := await self.database.read(lambda tx: tx.execute(query).scalar())) is None:
                self.clock.now += 10_000 * (tries > 1)
        told = [text for key, text in (await self.wanted("reply")).items() if key not in before]
        reaction = (await self.wanted("reaction", "content")).get(f"reaction:{request.key}", "")
        assert len(told) <= 1
        found = await self.database.read(lambda tx: chains.get(tx, chain_id)) if chain_id else None
        return Heard(answer or "", "".join(told), reaction, found)

    # ---- what there is

    async def wanted(self, kind: str, part: str = "body") -> dict[str, str]:
        """What is to stand on GitHub of one kind, by its key."""
        query = sa.select(effects.c.key, effects.c.wanted).where(effects.c.kind == kind)
        rows = await self.database.read(lambda tx: tx.execute(query).all())
        return {row.key: str(row.wanted[part]) for row in rows}

    def do(self, work: Callable[[Transaction], T]) -> T:
        with self.database.engine.begin() as tx:
            return work(tx)

    # ---- what was there before

    def facts(self, at: Issue | None = None, **fields: Any) -> ChangeFacts:
        """Those of a fix that begins now."""
        where = at or self.pull
        is_pull = isinstance(where, Pull)
        head = where.head_sha if isinstance(where, Pull) else self.shop.head("main")
        values: dict[str, Any] = {
            "thread": self.thread(where),
            "place": "pull" if is_pull else "issue",
            "requester": ids.Actor(id=self.mona.id, login="mona"),
            "line": "/pool fix",
            "head": head,
            "base": self.shop.head("main"),
            "base_ref": "main",
            "default_branch": "main",
            "merge_base": where.merge_base() if isinstance(where, Pull) else head,
            "branch": "topic",
            "into": "",
        }
        return ChangeFacts(**values | fields)

    def chain(
        self,
        facts: ChangeFacts,
        verb: str = "fix",
        *,
        limit: int = 3_000_000,
        begun: bool = True,
        max_rejections: int = 3,
    ) -> str:
        """A chain that somebody asked for before."""
        self.made += 1
        self.clock.now += 1
        chain_id = f"{self.made:010x}"
        plan = Plan(
            verb=verb,
            steps=with_limits(CHANGE, _allowing(max_rejections)),
            context=facts.model_dump(mode="json"),
            limits=Limits(task=limit, chain=limit, wall_seconds=60, idle_seconds=60),
        )
        account = {
            "conversation": facts.key,
            "thread": facts.key,
            "user": str(facts.requester.id),
            "repository": str(self.shop.id),
        }
        limits = caps(
            task=limit, chain=limit, thread=10**9, user_day=10**10, repository_month=10**11
        )
        labels = chains.ChainLabels(head=facts.head, requester=facts.requester.login)

        def make(tx: Transaction) -> None:
            assert chains.create(tx, chain_id, plan, account, limits, self.clock.now, labels)
            if begun:
                chains.begin(tx, chains.get(tx, chain_id), self.clock.now)

        self.do(make)
        return chain_id

    def shown(
        self, facts: ChangeFacts, patch: bytes = PATCH, *, max_rejections: int = 3, **result: Any
    ) -> tuple[str, str]:
        """A chain of a fix whose patch waits for approval, and the ID under which it is shown."""
        chain_id = self.chain(facts, max_rejections=max_rejections)
        run = f"{chain_id}.mend.0.1"
        digest = hashlib.sha256(patch).hexdigest()
        work = CapturedChange(base=facts.head, commit="c" * 40, patch=patch, digest=digest)

        gate = gate_id(
            chain_id,
            "propose",
            0,
            head=facts.head,
            merge_base=facts.merge_base,
            patch=digest,
            plan=plan_digest(self.row(chain_id).plan, facts.config_blob),
        )

        def present(tx: Transaction) -> None:
            tasks.keep_work(tx, run, chain_id, work, self.clock.now)
            mend, propose = chains.get(tx, chain_id).steps[:2]
            steps.begin(tx, mend, self.clock.now)
            steps.complete(tx, mend, [], self.clock.now, {"run": run, "commit": work.commit})
            steps.begin(tx, propose, self.clock.now)
            told = {"change": {"run": run}, "digest": digest, "gate": gate, **result}
            steps.present(tx, propose, told)
            chains.park(tx, chains.get(tx, chain_id), "approval")

        self.do(present)
        assert self.gate(chain_id) == gate
        return chain_id, gate

    def end(self, chain_id: str, verdict: Verdict = Verdict.out_of_budget, **outcome: Any) -> str:
        """Let a chain be over."""
        end = Outcome(verdict=verdict, **outcome)
        self.do(lambda tx: chains.finish(tx, chains.get(tx, chain_id), end, self.clock.now))
        return chain_id

    def row(self, chain_id: str) -> ChainRow:
        return self.do(lambda tx: chains.get(tx, chain_id))

    def gate(self, chain_id: str) -> str:
        """The ID under which a chain's patch is shown now; "" where none is."""
        return self.do(lambda tx: open_gates.shown(tx, chains.get(tx, chain_id))) or ""

    def state(self, chain_id: str) -> ChainState:
        return self.row(chain_id).state


def _allowing(rejections: int) -> RepositoryConfig:
    return RepositoryConfig(changes=Changes(max_rejections=rejections))


async def _no_login(_repository_id: int, _fresh: bool) -> Credentials:
    raise AssertionError("nothing is fetched to decide")


@asynccontextmanager
async def desk(folder: Path, **services: Any) -> AsyncIterator[Desk]:
    """The bot with a pull request and an issue, both of a maintainer's."""
    database = Database.temporary()
    migrations.upgrade(database.engine)
    async with (
        SimulatedGitHub.start(folder / "github") as github,
        aiohttp.ClientSession() as session,
    ):
        mona = github.create_user("mona")
        shop = github.create_repository("octo/shop", files={"app.py": "a\n"})
        shop.grant(mona, "write")
        app = github.create_app("claude-pool")
        installation = github.install(app, "octo", [shop])
        shop.commit("topic", {"app.py": "x\n"}, author=mona)
        access = AppAccess(session, github.api_url, str(app.id), app.private_key)
        clock, forge = Clock(), Forge(session, github.api_url, access, patience=0.001)
        values: dict[str, Any] = {
            "database": database,
            "forge": forge,
            "worktrees": Worktrees(folder / "worktrees", _no_login),
            "clock": clock,
            "defaults": Defaults(model="m", pool_cap=None, idle_seconds=60, wall_seconds=None),
            "links": Links(server="https://github.example"),
            "sandbox": None,
            "holds_secret": lambda _text: False,
            "runs_in": "app",
        }
        made = Services(**values | services)
        verbs = registry.handlers()
        policy = CommandPolicy(made, verbs, ConfigLoader(forge, frozenset(verbs)))
        progress = Progress(clock, verbs, made.links, made.runs_in)
        yield Desk(
            github=github,
            shop=shop,
            installation=installation,
            mona=mona,
            issue=shop.open_issue("Slow", author=mona),
            pull=shop.open_pull("topic", author=mona),
            database=database,
            clock=clock,
            services=made,
            worker=CommandWorker(policy, Watching(progress)),
        )
    database.close()
