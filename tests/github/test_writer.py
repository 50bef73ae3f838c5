"""The writer of effects: told at once where GitHub refuses, kept for ever where it is away, and never mixed up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_pool_gh.github import tables
from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.review import Review
from claude_pool_gh.github.effects.writer import Writer
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.rehearsal.github import App, Fault, Installation, Pull, Respond, SimulatedGitHub
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository
from tests.patience import PATIENCE

COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
REVIEWS = "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"


@dataclass
class Bench:
    """A writer at work on a simulated GitHub; `told` lists the chains that were shown anew."""

    github: SimulatedGitHub
    app: App
    installation: Installation
    pull: Pull
    database: Database
    repository: Repository
    writer: Writer
    told: list[str] = field(default_factory=list)

    def want(self, effect: Any, key: str = "k", chain: str | None = None) -> None:
        """Want an effect, as of now."""
        now = int(time.time() * 1000)

        def store(tx: Transaction) -> None:
            rows.want(tx, key, self.repository, effect, now, chain_id=chain)

        with self.database.engine.begin() as tx:
            store(tx)
        self.writer.wake()

    def row(self, key: str = "k") -> Any:
        with self.database.engine.begin() as tx:
            return tx.execute(
                tables.effects.select().where(tables.effects.c.key == key)
            ).one_or_none()

    def change(self, key: str = "k", **values: Any) -> None:
        with self.database.engine.begin() as tx:
            tx.execute(tables.effects.update().where(tables.effects.c.key == key).values(**values))
        self.writer.wake()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.02)

    def bodies(self) -> list[str]:
        return [each.body for each in self.pull.comments]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    database = Database.open(f"sqlite:///{tmp_path / 'pool.sqlite'}")
    migrations.upgrade(database.engine)
    async with (
        SimulatedGitHub.start(tmp_path / "github") as github,
        aiohttp.ClientSession() as session,
    ):
        mona = github.create_user("mona")
        shop = github.create_repository("octo/shop")
        shop.grant(mona, "admin")
        shop.commit("topic", {"a.py": "x = 1\n"}, author=mona)
        pull = shop.open_pull("topic", base="main", title="x", body="y", author=mona)
        app = github.create_app("claude-pool")
        installation = github.install(app, "octo", [shop])
        access = AppAccess(session, github.api_url, str(app.id), app.private_key)
        forge = Forge(session, github.api_url, access, patience=0.001)
        named = Repository(id=shop.id, owner="octo", name="shop", installation_id=installation.id)
        told: list[str] = []
        writer = Writer(
            database,
            forge,
            lambda: int(time.time() * 1000),
            0.0,
            told=lambda _tx, chain: told.append(chain),
        )
        with database.engine.begin() as tx:
            tx.execute(
                tables.repositories.insert().values(
                    id=shop.id,
                    owner="octo",
                    name="shop",
                    installation_id=installation.id,
                    state="active",
                )
            )
        writer.start()
        yield Bench(github, app, installation, pull, database, named, writer, told)
        await writer.close()
    database.close()


def comment(bench: Bench, body: str = "hello") -> Comment:
    return Comment(number=bench.pull.number, body=body)


async def test_what_an_outage_holds_up_is_kept_however_long_it_lasts(bench: Bench) -> None:
    outage = bench.github.faults.add(Fault(Respond(503), route=COMMENTS, times=10**6))
    bench.want(comment(bench), chain="c1")
    await bench.until(lambda: bench.row().tries > 3)
    bench.change(tries=500, due_ms=0)
    await bench.until(lambda: bench.row().tries > 500)
    assert bench.row().state == "wanted"
    assert bench.row().due_ms > time.time() * 1000 + 3_000_000, "asked for once an hour by then"
    assert bench.told == ["c1"], "told once that it is late, not at each try"
    assert outage.hits > 3
    bench.github.faults.clear()
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().state == "written")
    assert bench.told == ["c1", "c1"]
    assert len(bench.bodies()) == 1


async def test_what_fails_for_hours_is_asked_for_once_an_hour_and_holds_nothing_up(
    bench: Bench,
) -> None:
    outage = bench.github.faults.add(Fault(Respond(503), route=COMMENTS, times=10**6))
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().tries)
    bench.change(tries=60, due_ms=0, priority=-1)
    await bench.until(lambda: bench.row().tries > 60)
    before = outage.hits
    bench.want(Labels(number=bench.pull.number, names=("bug",)), key="less urgent")
    await bench.until(lambda: bench.row("less urgent").state == "written")
    await asyncio.sleep(0.3)
    assert (outage.hits, bench.row().tries) == (before, 61)


async def test_a_limit_of_an_hour_is_kept_by_the_process_after_this_one(bench: Bench) -> None:
    limit = Respond(429, "x", {"Retry-After": "3600"})
    fault = bench.github.faults.add(Fault(limit, route=COMMENTS, times=99))
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().tries)
    bench.writer._limits.until.clear()
    now = int(time.time() * 1000)
    with bench.database.engine.begin() as tx:
        assert rows.installations_due(tx, now) == [], "however long a look takes here"
    bench.writer.wake()
    await asyncio.sleep(0.1)
    assert fault.hits == 1


async def test_a_refusal_is_told_at_once_and_asked_for_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    header = {"X-Accepted-GitHub-Permissions": "issues=write"}
    refusal = Respond(403, "Resource not accessible by integration", header)
    fault = bench.github.faults.add(Fault(refusal, route=COMMENTS, times=99))
    with caplog.at_level(logging.ERROR):
        bench.want(comment(bench), chain="c1")
        await bench.until(lambda: bench.row().state == "refused")
    assert bench.row().error == (
        "GitHub answered 403: Resource not accessible by integration (needs the permission issues=write)"
    )
    assert "needs the permission issues=write" in caplog.text
    assert (fault.hits, bench.told) == (1, ["c1"])


async def test_an_app_that_is_not_let_in_waits_until_it_is(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.github.suspend(bench.installation)
    with caplog.at_level(logging.ERROR):
        bench.want(comment(bench), chain="c1")
        await bench.until(lambda: bench.row().tries)
    assert (
        "the operator must act: GitHub answered 403: This installation has been suspended"
        in caplog.text
    )
    assert (bench.row().state, bench.told) == ("wanted", ["c1"])
    assert bench.row().error == "the operator of this bot must act; nothing can be done here"
    await bench.github.suspend(bench.installation, on=False)
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().state == "written")


@pytest.mark.parametrize(
    "limit",
    [
        Respond(429, "x", {"Retry-After": "1800"}),
        Respond(403, "You have exceeded a secondary rate limit.", {"Retry-After": "1800"}),
    ],
)
async def test_a_limit_is_waited_for_as_long_as_github_says_by_the_whole_installation(
    bench: Bench, limit: Respond
) -> None:
    fault = bench.github.faults.add(Fault(limit, route=COMMENTS, times=99))
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().tries)
    bench.want(Reply(number=bench.pull.number, body="x"), key="other")
    assert bench.row().due_ms > time.time() * 1000 + 1_700_000
    await asyncio.sleep(1.5)
    assert (fault.hits, bench.row("other").tries) == (1, 0), "what is wanted meanwhile waits too"


async def test_a_limit_of_which_no_length_is_told_is_longer_each_time_in_a_row(
    bench: Bench,
) -> None:
    """As GitHub asks: whoever goes on as before is shut out. What was an outage's before it makes it no longer."""
    limit = Respond(403, "You have exceeded a secondary rate limit.")
    bench.github.faults.add(Fault(limit, route=COMMENTS, times=99))

    async def pause() -> float:
        await bench.until(lambda: bench.row().due_ms > time.time() * 1000 + 1_000)
        return float(bench.row().due_ms / 1000 - time.time())

    async def next_pause() -> float:
        bench.writer._limits.until.clear()
        bench.change(tries=6, error="GitHub did not answer; it is tried again", due_ms=0)
        return await pause()

    bench.want(comment(bench))
    assert 59 < await pause() < 73
    assert 119 < await next_pause() < 145
    bench.writer._limits.until.clear()
    bench.want(Labels(number=bench.pull.number, names=("bug",)), key="taken")
    await bench.until(lambda: bench.row("taken").state == "written")
    assert 59 < await next_pause() < 73


async def test_a_limit_ends_also_where_the_clock_is_set_back_meanwhile(
    bench: Bench,
) -> None:
    limit = Respond(429, "x", {"Retry-After": "1"})
    bench.github.faults.add(Fault(limit, route=COMMENTS, times=1))
    bench.writer._now_ms = lambda: int(time.time() * 1000) + 7_200_000
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().tries)
    bench.writer._now_ms = lambda: int(time.time() * 1000)
    bench.writer.wake()
    await bench.until(lambda: bench.row().state == "written")


async def test_a_review_that_is_refused_is_said_in_a_comment(bench: Bench) -> None:
    bench.github.faults.add(
        Fault(Respond(422, "Unprocessable"), method="POST", route=REVIEWS, times=99)
    )
    bench.want(
        Review(
            number=bench.pull.number,
            commit=bench.pull.head_sha,
            body="b",
            fallback="2 findings: ...",
        )
    )
    await bench.until(
        lambda: bench.row("k:instead") is not None and bench.row("k:instead").state == "written"
    )
    assert [body.split("\n")[0] for body in bench.bodies()] == ["2 findings: ..."]
    assert bench.row().state == "refused"


async def test_what_something_in_between_refuses_each_time_is_given_up_in_the_end(
    bench: Bench,
) -> None:
    """A filter of a company's network lets all pass but the one body that it does not like."""
    heard: list[tuple[str, str]] = []
    bench.writer._heard = lambda row, refusal: heard.append((row.kind, str(refusal)))
    page = Respond(403, body=b"<html><title>Blocked by policy</title></html>")
    bench.github.faults.add(Fault(page, method="POST", route=REVIEWS, times=99))
    told = Review(number=bench.pull.number, commit=bench.pull.head_sha, body="b", fallback="2 f")
    bench.want(told, chain="c1")
    await bench.until(lambda: bench.row().tries > 1)
    why = "something between this server and GitHub refuses it"
    assert (bench.row().state, bench.row().error) == ("wanted", f"{why}; it is tried again")
    to_all = Fault(page, method="GET", route="/repos/{owner}/{repo}", times=99)
    bench.github.faults.add(to_all)
    bench.change(tries=20, due_ms=0)
    await bench.until(lambda: to_all.hits and bench.row().tries > 20)
    assert bench.row().state == "wanted", "it is an outage: nothing passes"
    bench.github.faults.clear()
    bench.github.faults.add(Fault(page, method="POST", route=REVIEWS, times=99))
    bench.change(tries=20, due_ms=0)
    await bench.until(lambda: bench.row().state == "refused")
    assert bench.row().error == why
    assert heard == [("review", why)]
    await bench.until(lambda: bench.row("k:instead").state == "written")
    assert len(bench.bodies()) == 1


async def test_one_refusal_on_the_way_after_a_long_outage_is_tried_again(bench: Bench) -> None:
    """The control: what an outage has cost in tries does not count as refusals."""
    page = Respond(403, body=b"<html><title>Starting up</title></html>")
    bench.github.faults.add(Fault(page, method="POST", route=REVIEWS, times=3))
    told = Review(number=bench.pull.number, commit=bench.pull.head_sha, body="b", fallback="2 f")
    bench.want(told, chain="c1")
    await bench.until(lambda: bench.row().tries > 0)
    for _ in range(2):
        bench.change(tries=30, due_ms=0, error="GitHub did not answer; it is tried again")
        await bench.until(lambda: bench.row().state != "wanted" or bench.row().tries < 30)
        assert bench.row().state == "wanted"
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().state == "written")


async def test_faults_after_a_long_outage_are_counted_from_their_first(bench: Bench) -> None:
    """Each cause for itself: an outage's tries are no faults, and two faults are not twenty."""
    outage, page = "GitHub did not answer; it is tried again", b"<html>Starting up</html>"
    bench.writer._interval = 0.5  # no try comes between what is read here and what is changed
    fault = bench.github.faults.add(
        Fault(Respond(403, body=page), method="POST", route=COMMENTS, times=2)
    )
    bench.want(comment(bench), chain="c1")
    await bench.until(lambda: bench.row().tries > 0)
    bench.change(tries=30, due_ms=0, error=outage)
    await bench.until(lambda: fault.hits == 2 and bench.row().error != outage)
    assert (bench.row().state, bench.row().tries) == ("wanted", 6)
    own = Fault(Respond(201, body=b'{"no": "id"}'), method="POST", route=COMMENTS, times=1)
    bench.github.faults.add(own)
    bench.change(tries=30, due_ms=0, error=outage)
    await bench.until(lambda: bench.row().error != outage)
    assert (bench.row().state, bench.row().tries) == ("wanted", 6)
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().state == "written")


async def test_an_error_of_our_own_is_tried_again_and_given_up_in_the_end(bench: Bench) -> None:
    bench.github.faults.add(
        Fault(Respond(201, body=b'{"no": "id"}'), method="POST", route=COMMENTS, times=99)
    )
    bench.want(comment(bench), chain="c1")
    await bench.until(lambda: bench.row().tries > 1)
    bench.change(tries=20, due_ms=0)
    await bench.until(lambda: bench.row().state == "refused")
    assert bench.row().error == "an error on our side (KeyError)"


@pytest.mark.parametrize(
    "wanted",
    [{"kind": "of a newer version"}, {"kind": "comment", "number": "none"}, ["no", "effect"], None],
)
async def test_an_effect_that_cannot_be_read_costs_itself_and_nothing_after_it(
    bench: Bench, wanted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    outage = bench.github.faults.add(Fault(Respond(503), route=COMMENTS, times=10**6))
    bench.want(comment(bench), chain="c1")
    await bench.until(lambda: bench.row().tries > 0)
    bench.change(wanted=wanted, due_ms=0, priority=-1)
    bench.want(comment(bench, "after it"), "other")
    # also where a try of what it was is on its way
    await bench.until(lambda: bench.row().state == "refused")
    outage.times = 0
    await bench.until(lambda: bench.row("other").state == "written")
    assert "cannot be read" in bench.row().error
    assert bench.told[-1] == "c1"
    assert "effect_unreadable" in {getattr(record, "action", "") for record in caplog.records}


async def test_a_screen_that_breaks_costs_its_effect_and_no_other(bench: Bench) -> None:
    def screen(effect: Effect) -> Effect:
        if getattr(effect, "body", "") == "hello":
            raise RuntimeError("no screen for this")
        return effect

    bench.writer._screen = screen
    bench.want(comment(bench))
    bench.want(comment(bench, "after it"), "other")
    await bench.until(lambda: bench.row("other").state == "written")

    def given_up() -> bool:
        if bench.row().state != "refused":
            # again and again: a try that is on its way writes its own number
            bench.change(tries=20, due_ms=0)
        return bool(bench.row().state == "refused")

    await bench.until(given_up)
    assert bench.row().error == "an error on our side (RuntimeError)"


def test_a_refusal_of_one_version_leaves_a_newer_one_to_be_written(bench: Bench) -> None:
    bench.want(comment(bench))
    bench.change(tries=7)
    with bench.database.engine.begin() as tx:
        row = rows.next_due(tx, bench.installation.id, 2**60)
        assert isinstance(row, rows.EffectRow)
        rows.want(tx, "k", bench.repository, comment(bench, "newer"), 1)
        assert not rows.refused(tx, row, "refused")
    assert (bench.row().state, bench.row().tries) == ("wanted", 0)
    with bench.database.engine.begin() as tx:
        newer = rows.next_due(tx, bench.installation.id, 2**60)
        assert isinstance(newer, rows.EffectRow)
        assert rows.refused(tx, newer, "refused")
    assert bench.row().state == "refused"


async def test_a_newer_version_is_written_where_github_refused_the_one_before_it(
    bench: Bench,
) -> None:
    bench.github.faults.add(
        Fault(Respond(422, "Unprocessable"), method="POST", route=COMMENTS, times=1)
    )

    def newer(_row: rows.EffectRow | rows.Unreadable, _refusal: ForgeRefused) -> None:
        """It is wanted between GitHub's answer and the moment in which that is noted."""
        bench.want(comment(bench, "newer"))

    bench.writer._heard = newer
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().state == "written")
    assert [body.split("\n")[0] for body in bench.bodies()] == ["newer"]


async def test_a_written_body_that_is_half_is_looked_for_not_made_again(bench: Bench) -> None:
    half = Respond(201, body=b'{"id": 1, "bo')
    bench.github.faults.add(Fault(half, method="POST", route=COMMENTS, after_effect=True))
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().state == "written")
    assert len(bench.bodies()) == 1


async def test_after_a_short_limit_everything_that_waited_is_written(bench: Bench) -> None:
    bench.github.faults.add(
        Fault(Respond(429, "x", {"Retry-After": "1"}), method="POST", route=COMMENTS)
    )
    began = time.monotonic()
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().tries)
    bench.want(Reply(number=bench.pull.number, body="x"), key="other")
    await bench.until(lambda: bench.row("other").state == bench.row().state == "written")
    assert time.monotonic() - began > 1
    assert len(bench.bodies()) == 2


@pytest.mark.parametrize("may_read", [True, False])
async def test_what_rows_that_are_gone_have_made_is_found_or_made_where_it_may_not_be_read(
    bench: Bench, *, may_read: bool
) -> None:
    bench.want(Comment(number=bench.pull.number, body="first"))
    await bench.until(lambda: bench.row().remote_id is not None)
    with bench.database.engine.begin() as tx:
        tx.execute(tables.effects.delete())
    bench.writer._look_first = True
    if not may_read:
        no = Respond(403, "Resource not accessible by integration")
        bench.github.faults.add(Fault(no, method="GET", route=COMMENTS))
    bench.want(Comment(number=bench.pull.number, body="second"))
    await bench.until(lambda: any("second" in each for each in bench.bodies()))
    assert len(bench.bodies()) == (1 if may_read else 2)
