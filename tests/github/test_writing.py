"""How effects are written: in their order, at their pace, looked for before they are made again, and told of."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from typing import Any

import pytest

from claude_pool_gh.github.effects import rows, turns
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.review import InlineComment, Review
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.github.tables import leases
from claude_pool_gh.rehearsal.github import Fault, Hide, Reset, Respond
from claude_pool_gh.rehearsal.github.web.faults import Moment
from claude_pool_gh.storage import Transaction
from tests.github.test_writer import COMMENTS, REVIEWS, Bench, bench, comment
from tests.patience import PATIENCE

__all__ = ["bench"]
COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
LABELS = "/repos/{owner}/{repo}/issues/{issue_number}/labels"
REPOSITORY = "/repos/{owner}/{repo}"


def store(bench: Bench, **effects: Effect) -> None:
    """Want several in one transaction, so that no writer comes between."""
    now = int(time.time() * 1000)
    with bench.database.engine.begin() as tx:
        for key, effect in effects.items():
            rows.want(tx, key, bench.repository, effect, now)
    bench.writer.wake()


def state(bench: Bench, key: str = "k") -> str:
    return str(bench.row(key).state)


def posts(bench: Bench, route: str = COMMENTS) -> int:
    return sum(each.method == "POST" and each.route == route for each in bench.github.requests)


async def written(bench: Bench, *keys: str) -> None:
    await bench.until(lambda: all(state(bench, key) == "written" for key in keys))


async def test_the_most_urgent_is_written_first_and_the_pace_is_kept(bench: Bench) -> None:
    bench.writer._interval = 0.2
    number = bench.pull.number
    store(
        bench,
        labels=Labels(number=number, names=("bug",)),
        k=comment(bench, "progress"),
        reply=Reply(number=number, body="answer"),
    )
    await written(bench, "labels", "k", "reply")
    writes = [each for each in bench.github.requests if each.method == "POST"]
    made = [each for each in writes if each.route in (COMMENTS, LABELS)]
    assert [each.route for each in made] == [COMMENTS, COMMENTS, LABELS]
    assert [each.partition("\n")[0] for each in bench.bodies()] == ["answer", "progress"]
    assert all(later.at - earlier.at > 0.19 for earlier, later in pairwise(made))


async def test_the_drafts_of_a_review_keep_the_pace_too(bench: Bench) -> None:
    bench.writer._interval = 0.2
    no = Fault(Respond(422, "Unprocessable Entity"), method="POST", route=REVIEWS, times=99)
    no.when = lambda moment: b'"line"' in moment.body
    bench.github.faults.add(no)
    odd = [InlineComment(path="a.py", line=1, body=f"{n}") for n in range(2)]
    review = Review(number=bench.pull.number, commit=bench.pull.head_sha, body="b", comments=odd)
    bench.want(review)
    await written(bench, "k")
    _whole, *parts = [
        each for each in bench.github.requests if each.method == "POST" and each.route == REVIEWS
    ]
    assert len(parts) == 4, "a draft without comments, one with each, and the review"
    assert all(later.at - earlier.at > 0.19 for earlier, later in pairwise(parts))


async def test_a_process_that_has_seconds_to_live_keeps_no_pace(bench: Bench) -> None:
    bench.writer._interval = 10**6
    bench.writer.hurry()
    store(bench, k=comment(bench), other=comment(bench, "other"))
    await written(bench, "k", "other")


async def test_what_becomes_of_each_effect_is_counted_and_told(bench: Bench) -> None:
    told: list[tuple[str, str, bool]] = []

    def watch(row: EffectRow, outcome: str, begin_ms: int, end_ms: int) -> None:
        told.append((row.key, outcome, begin_ms <= end_ms))

    bench.writer.watched = watch
    bench.github.faults.add(Fault(Respond(502), method="POST", route=COMMENTS))
    bench.want(comment(bench))
    await written(bench, "k")
    bench.github.faults.add(Fault(Respond(422, "no"), method="POST", route=LABELS))
    bench.want(Labels(number=bench.pull.number, names=("bug",)), "labels")
    await bench.until(lambda: state(bench, "labels") == "refused")
    assert told == [
        ("k", "postponed", True),
        ("k", "written", True),
        ("labels", "refused", True),
    ]
    assert dict(bench.writer.counts) == {
        ("comment", "postponed"): 1,
        ("comment", "written"): 1,
        ("labels", "refused"): 1,
    }


async def test_a_token_that_is_not_accepted_is_no_final_refusal(bench: Bench) -> None:
    refused: list[ForgeRefused] = []
    bench.writer._heard = lambda _row, refusal: refused.append(refusal)
    fault = Fault(Respond(401, "Bad credentials"), route=COMMENTS, times=2)
    bench.github.faults.add(fault)
    bench.want(comment(bench))
    await bench.until(lambda: bench.row().tries)
    assert state(bench) == "wanted"
    assert bench.row().error == "GitHub did not accept the bot's token; it is tried again"
    assert 50_000 < bench.row().due_ms - time.time() * 1000 < 75_000
    assert refused == []
    bench.change(due_ms=0)
    await written(bench, "k")


async def test_what_the_last_look_puts_in_its_place_is_what_is_written(bench: Bench) -> None:
    bench.writer._screen = lambda effect: effect.reworded(lambda _text: "withheld")
    bench.want(comment(bench, "a secret"))
    await written(bench, "k")
    assert bench.bodies()[0].startswith("withheld\n")
    assert bench.row().wanted["body"] == "a secret", "what was wanted is asked for again next time"


async def test_what_github_shows_late_is_looked_for_a_few_times_before_it_is_made_again(
    bench: Bench,
) -> None:
    bench.writer._interval = 0.05
    bench.github.faults.add(Fault(Reset(), method="POST", route=COMMENTS, after_effect=True))
    bench.github.faults.add(Fault(Hide(0.15), method="POST", route=COMMENTS))
    bench.want(comment(bench))
    await written(bench, "k")
    assert (len(bench.bodies()), posts(bench)) == (1, 1)


async def test_what_was_never_made_is_looked_for_five_times_and_then_made(bench: Bench) -> None:
    bench.github.faults.add(Fault(Reset(), method="POST", route=COMMENTS))
    bench.want(comment(bench))
    await written(bench, "k")
    looks = [each for each in bench.github.requests if each.method == "GET"]
    assert sum(each.route == COMMENTS for each in looks) == 5
    assert (len(bench.bodies()), posts(bench)) == (1, 2)


async def test_a_repository_that_cannot_be_reached_is_not_taken_for_a_deleted_comment(
    bench: Bench,
) -> None:
    bench.want(comment(bench))
    await written(bench, "k")
    gone = Respond(404, "Not Found")
    bench.github.faults.add(Fault(gone, method="PATCH", route=COMMENT, times=2))
    bench.github.faults.add(Fault(gone, method="GET", route=REPOSITORY))
    bench.want(comment(bench, "two"), chain="c1")
    await bench.until(lambda: bench.row().tries)
    assert (state(bench), bench.row().error) == (
        "wanted",
        "GitHub did not answer; it is tried again",
    )
    bench.change(due_ms=0)
    await bench.until(lambda: state(bench) == "gone")
    assert bench.row().error == "deleted by a person"
    assert bench.told == ["c1", "c1"]


async def test_a_comment_that_a_person_deleted_is_not_made_again(bench: Bench) -> None:
    bench.want(comment(bench))
    await written(bench, "k")
    (there,) = bench.pull.comments
    await bench.github.delete_comment(bench.github.create_user("mona"), there)
    bench.want(comment(bench, "two"))
    await bench.until(lambda: state(bench) == "gone")
    assert bench.bodies() == []


async def test_what_a_closed_writer_leaves_the_next_one_writes(bench: Bench) -> None:
    await bench.writer.close()
    bench.want(comment(bench))
    assert posts(bench) == 0
    bench.writer.start()
    await bench.writer.drained()
    assert (state(bench), len(bench.bodies())) == ("written", 1)


async def test_another_process_that_writes_for_the_installation_is_left_to_it(
    bench: Bench,
) -> None:
    def lease(tx: Any) -> bool:
        name = f"writer:{bench.installation.id}"
        return rows.hold(tx, name, "elsewhere@0/1/2", int(time.time() * 1000), 700)

    began = time.monotonic()
    with bench.database.engine.begin() as tx:
        assert lease(tx)
    bench.want(comment(bench))
    await written(bench, "k")
    assert time.monotonic() - began > 0.6


@asynccontextmanager
async def slow_github(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A comment is on its way, and GitHub takes it at the end of this."""
    monkeypatch.setattr(turns, "_RENEWED_SECONDS", 0.02)
    asked, answers = asyncio.Event(), asyncio.Event()

    async def waits(moment: Moment) -> None:
        if moment.phase == "before" and moment.method == "POST" and moment.route == COMMENTS:
            asked.set()
            await answers.wait()

    bench.github.faults.hooks.append(waits)
    bench.want(comment(bench))
    async with asyncio.timeout(PATIENCE):
        await asked.wait()
    yield
    answers.set()


def is_theirs(bench: Bench, now_ms: int) -> bool:
    """Whether another process has the turn, or takes it."""
    with bench.database.engine.begin() as tx:
        return rows.hold(tx, f"writer:{bench.installation.id}", "elsewhere@0/1/2", now_ms)


async def test_what_takes_longer_than_a_lease_lasts_is_left_to_who_writes_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [0]
    bench.writer._now_ms = lambda: int(time.time() * 1000) + late[0]
    async with slow_github(bench, monkeypatch):
        for _ in range(4):
            late[0] += 20_000
            await asyncio.sleep(0.2)
        assert not is_theirs(bench, bench.writer._now_ms())
    await written(bench, "k")
    assert len(bench.bodies()) == 1


async def test_who_has_lost_the_turn_stops_and_the_next_one_looks_for_what_was_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time() * 1000)
    async with slow_github(bench, monkeypatch):
        with bench.database.engine.begin() as tx:
            lost = {"owner": "elsewhere@0/1/2", "expires_ms": now + 1_500}
            tx.execute(leases.update().values(**lost))
        await bench.until(lambda: not bench.writer._busy)
        assert (state(bench), bench.row("k").attempted) == ("wanted", True)
    await written(bench, "k")
    assert len(bench.bodies()) == 1


async def test_who_cannot_ask_whether_the_turn_is_still_his_stops_before_another_has_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is cut off from the database and not from GitHub: the others see its lease end."""
    monkeypatch.setattr(turns, "_RENEWED_SECONDS", 0.02)
    monkeypatch.setattr(turns, "_SURE_SECONDS", 0.3)
    stopped = asyncio.Event()

    async def writing() -> None:
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            stopped.set()

    with closing(sqlite3.connect(str(bench.database.engine.url.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        now = bench.writer._now_ms
        await turns.while_ours(bench.database, bench.installation.id, now, writing())
        assert stopped.is_set()


async def test_a_turn_that_another_process_has_is_not_asked_for_without_a_pause(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def take(_tx: Transaction, installation: int, _now_ms: int) -> bool:
        asked.append(installation)
        return False

    monkeypatch.setattr(turns, "take", take)
    bench.want(comment(bench))
    await bench.until(lambda: asked)
    await asyncio.sleep(0.5)
    assert len(asked) < 5


async def test_nothing_stands_in_the_place_of_a_comment_that_is_refused(bench: Bench) -> None:
    bench.github.faults.add(Fault(Respond(403, "locked"), method="POST", route=COMMENTS))
    bench.want(Comment(number=bench.pull.number, body="x"))
    await bench.until(lambda: state(bench) == "refused")
    assert bench.row("k:instead") is None
