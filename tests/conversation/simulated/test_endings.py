"""Whoever gave a command learns that it is over: by a reaction, and by a mention where nothing else tells."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.tracking.endings import reaction_of, thread_url
from claude_pool_gh.github import inbox
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.tables import effects
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.rehearsal.github import Pull, User
from claude_pool_gh.reports.views import AnswerReport, ChangeStatus
from claude_pool_gh.terms import ids
from claude_pool_gh.terms.links import Links
from claude_pool_gh.terms.markdown import SafeMarkdown
from tests.conversation.simulated.kit import Desk
from tests.reports.make import change

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = 86_400_000


async def started(desk: Desk, pull: Pull, by: User | None = None, **more: Any) -> tuple[str, str]:
    """A run that somebody asked for, and the key of the command."""
    request = await desk.request("/pool ask why?", by, at=pull, **more)
    heard = await desk.hear(request)
    assert heard.chain is not None
    return heard.chain.id, request.key


def end(desk: Desk, chain_id: str, verdict: Verdict = Verdict.failed, **outcome: Any) -> None:
    desk.end(chain_id, verdict, **outcome)
    show(desk, chain_id)


def show(desk: Desk, chain_id: str) -> None:
    desk.do(lambda tx: desk.worker.observer.changed(tx, chain_id))


async def told(desk: Desk, chain_id: str) -> str:
    return (await desk.wanted("reply")).get(f"over:{chain_id}", "")


async def reaction(desk: Desk, key: str) -> str:
    return (await desk.wanted("reaction", "content"))[f"reaction:{key}"]


async def test_a_run_that_failed_is_told_to_whoever_asked(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, key = await started(desk, pull)
    show(desk, chain_id)
    assert (await told(desk, chain_id), await reaction(desk, key)) == ("", "eyes")
    end(desk, chain_id, reason="it broke")
    assert await told(desk, chain_id) == "@mona `/pool ask` has ended: NOT DONE: it broke"
    assert await reaction(desk, key) == "confused"


async def test_it_leads_to_the_comment_where_that_stands(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, _ = await started(desk, pull)
    key = f"comment:{desk.shop.id}:{pull.number}:ask"
    stands = effects.update().where(effects.c.key == key)
    desk.do(lambda tx: tx.execute(stands.values(state="written", remote_id=88, written_version=1)))
    end(desk, chain_id, reason="it broke")
    page = f"https://github.example/octo/shop/pull/{pull.number}#issuecomment-88"
    assert (await told(desk, chain_id)).endswith(f" · [details]({page})")


async def test_a_comment_that_a_person_deleted_is_not_led_to(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, _ = await started(desk, pull)
    key = f"comment:{desk.shop.id}:{pull.number}:ask"
    gone = effects.update().where(effects.c.key == key)
    desk.do(lambda tx: tx.execute(gone.values(state="gone", remote_id=88)))
    end(desk, chain_id, reason="it broke")
    assert "details" not in await told(desk, chain_id)


async def test_everybody_who_asked_for_it_is_told_once(desk: Desk) -> None:
    pull, rita = desk.topic(), desk.user("rita", "write")
    chain_id, _ = await started(desk, pull)
    for by in (rita, desk.mona):
        assert (await started(desk, pull, by))[0] == chain_id
    end(desk, chain_id)
    assert (await told(desk, chain_id)).startswith("@mona @rita `/pool ask` has ended")


async def test_under_lines_of_the_diff_it_is_told_there(desk: Desk) -> None:
    pull = desk.topic()
    root = desk.commented(pull, "Hm.", desk.mona)
    chain_id, _ = await started(desk, pull, under=root)
    end(desk, chain_id)
    places = await desk.wanted("reply", "in_reply_to")
    assert places[f"over:{chain_id}"] == str(root.id)


@pytest.mark.parametrize(
    ("kind", "is_told"),
    [("label", True), ("button", True), ("rerun", True), ("opened", False), ("push", False)],
)
async def test_only_people_who_wait_are_told(desk: Desk, kind: Any, is_told: bool) -> None:
    pull = desk.topic()
    with desk.configured("review: {on_push: true}\ntriggers: {opened: true}\n"):
        source = ids.Trigger(kind=kind, id=f"{kind}{pull.number}:{pull.head_sha}")
        request = (await desk.request("/pool review", at=pull)).model_copy(
            update={"source": source}
        )
        heard = await desk.hear(request)
    assert heard.chain is not None
    end(desk, heard.chain.id)
    assert bool(await told(desk, heard.chain.id)) is is_told


async def test_whoever_wants_no_mention_gets_none(desk: Desk) -> None:
    pull = desk.topic()
    with desk.configured("notify: false\n"):
        chain_id, key = await started(desk, pull)
    end(desk, chain_id)
    assert await told(desk, chain_id) == ""
    assert await reaction(desk, key) == "confused"


async def test_a_cancelled_run_was_told_of_already(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, key = await started(desk, pull)
    end(desk, chain_id, Verdict.cancelled)
    assert (await told(desk, chain_id), await reaction(desk, key)) == ("", "confused")


@pytest.mark.parametrize(
    ("kind", "state", "is_told"),
    [
        ("answer", "wanted", False),
        ("review", "wanted", False),
        ("answer", "written", False),
        ("answer", "refused", True),
        ("other", "wanted", True),
    ],
)
async def test_what_is_posted_anyway_tells_it(
    desk: Desk, kind: str, state: str, is_told: bool
) -> None:
    pull = desk.topic()
    chain_id, key = await started(desk, pull)
    posted = f"{kind}:{chain_id}"
    reply = Reply(number=pull.number, body=SafeMarkdown("So it is."))
    desk.do(lambda tx: want(tx, posted, desk.repository, reply, desk.clock.now))
    of_posted = effects.update().where(effects.c.key == posted)
    desk.do(lambda tx: tx.execute(of_posted.values(state=state)))
    end(desk, chain_id, Verdict.answered)
    assert bool(await told(desk, chain_id)) is is_told
    assert await reaction(desk, key) == "+1"


@pytest.mark.parametrize(("later", "is_told"), [(DAY, True), (DAY + 1, False)])
async def test_an_old_end_is_told_to_nobody(desk: Desk, later: int, is_told: bool) -> None:
    pull = desk.topic()
    chain_id, _ = await started(desk, pull)
    desk.end(chain_id, Verdict.failed)
    desk.clock.now += later
    show(desk, chain_id)
    assert bool(await told(desk, chain_id)) is is_told


async def test_nobody_is_told_where_nothing_may_be_written(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, _ = await started(desk, pull)
    gone = desk.repository
    desk.do(lambda tx: inbox.remember_repository(tx, gone, "removed"))
    end(desk, chain_id)
    assert await told(desk, chain_id) == ""
    desk.do(lambda tx: inbox.remember_repository(tx, gone))


# ---- pure


@pytest.mark.parametrize(
    ("verdict", "status", "shown"),
    [
        (Verdict.answered, ChangeStatus.pushed, "+1"),
        (Verdict.answered, ChangeStatus.proposed, "+1"),
        (Verdict.answered, ChangeStatus.patch_only, "+1"),
        (Verdict.answered, ChangeStatus.writing, None),
        (Verdict.cancelled, ChangeStatus.writing, "confused"),
        (Verdict.answered, ChangeStatus.refused, "confused"),
        (Verdict.answered, ChangeStatus.nothing, "confused"),
        (Verdict.failed, ChangeStatus.waiting, "confused"),
    ],
)
async def test_a_change_is_done_when_it_is_out(
    verdict: Verdict, status: ChangeStatus, shown: str | None
) -> None:
    assert reaction_of(Outcome(verdict=verdict), change(fate=status)) == shown


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_every_other_run_is_done_where_it_came_to_its_end(verdict: Verdict) -> None:
    done = verdict in (Verdict.clean, Verdict.findings, Verdict.answered)
    for report in (None, AnswerReport(text="So it is.")):
        assert reaction_of(Outcome(verdict=verdict), report) == ("+1" if done else "confused")


@pytest.mark.parametrize(("place", "kind"), [("pull", "pull"), ("issue", "issues")])
async def test_a_thread_has_a_page(place: str, kind: str) -> None:
    thread = ids.Thread(repository=ids.Repository(id=1, owner="octo", name="shop"), number=7)
    page = thread_url(Links(server="https://github.example/"), thread, place)
    assert page == f"https://github.example/octo/shop/{kind}/7"
