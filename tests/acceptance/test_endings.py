"""Whoever gave a command is told once that it is over, and a thread is not filled with answers."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.tracking.endings import reaction_of
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Comment
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.reports.views import ChangeStatus, Report
from tests.acceptance.world import World
from tests.reports.make import change, reviewed

CONFIG = ".github/claude-pool.yml"


def reactions(comment: Comment) -> list[str]:
    return [reaction.content for reaction in comment.reactions]


async def test_an_end_is_told_by_a_reaction_and_by_a_reply_only_where_no_review_is(
    found: World,
) -> None:
    first = await found.say("/pool review")
    await found.reviewed()
    await found.quiet()
    assert len(found.reviews) == 1, "which notifies"
    assert (reactions(first), found.replies(), found.ends()) == (["+1"], [], [])

    second = await found.say("/pool review")
    await found.until(found.ends)
    await found.quiet()
    mark = f"#issuecomment-{found.own_comments()[0].id}"
    (accepted,), (end,) = found.replies(), found.ends()
    assert mark in accepted, "what is edited stands further up"
    assert mark in end
    assert end.startswith("@mona `/pool review` has ended: 1 finding still open")
    assert reactions(second) == ["+1"]
    for delivery in [one for one in found.github.deliveries if one.event == "issue_comment"]:
        await found.github.redeliver(delivery)
    await found.quiet()
    assert (len(found.replies()), len(found.ends())) == (1, 1)


async def test_nobody_is_mentioned_where_that_is_switched_off(here: World) -> None:
    here.repository.commit("main", {CONFIG: "notify: false\n"}, author=here.maintainer)
    comment = await here.say("/pool review")
    await here.reviewed()
    await here.quiet()
    assert (reactions(comment), here.replies(), here.ends()) == (["+1"], [], [])


async def test_who_is_cancelled_by_somebody_else_is_told_by_the_answer_to_that(shop: World) -> None:
    other = shop.github.create_user("max")
    shop.repository.grant(other, "write")
    shop.model.script = Reviewer(stage.PLANTED[1:2], pace=2.0)
    comment = await shop.say("/pool review")
    await shop.until(lambda: shop.model.requests)
    await shop.say("/pool cancel", by=other)
    await shop.reviewed()
    await shop.quiet()
    (answer,) = shop.replies()
    assert answer.startswith("@mona `/pool review` (`")
    assert (reactions(comment), shop.ends()) == (["confused"], [])


async def test_a_thread_keeps_the_newest_answer_of_each_kind(here: World) -> None:
    for line in (
        "/pool status",
        "/pool reveiw",
        "/pool help",
        "/pool status",
        "/pool nonsense",
        "/pool status",
    ):
        await here.say(line)
        await here.quiet()
    shown = here.replies()
    assert len(shown) == 3
    assert "`/pool review [PATH…]`" in shown[0]
    assert "nonsense" in shown[1]
    assert "slots" in shown[2], "the newest stands last"


@pytest.mark.parametrize(
    ("verdict", "report", "wanted"),
    [
        (Verdict.clean, reviewed(), "+1"),
        (Verdict.findings, reviewed(), "+1"),
        (Verdict.answered, None, "+1"),
        (Verdict.answered, change(fate=ChangeStatus.pushed), "+1"),
        (Verdict.answered, change(fate=ChangeStatus.proposed), "+1"),
        (Verdict.answered, change(fate=ChangeStatus.patch_only), "+1"),
        (Verdict.answered, change(fate=ChangeStatus.writing), None),
        (Verdict.answered, change(fate=ChangeStatus.refused), "confused"),
        (Verdict.answered, change(fate=ChangeStatus.nothing), "confused"),
        (Verdict.failed, None, "confused"),
        (Verdict.cancelled, change(fate=ChangeStatus.writing), "confused"),
        (Verdict.skipped, None, "confused"),
        (Verdict.quota, None, "confused"),
        (Verdict.out_of_budget, reviewed(), "confused"),
        (Verdict.out_of_turns, None, "confused"),
    ],
)
@pytest.mark.rotating(1)
def test_what_an_end_looks_like_on_the_command(
    verdict: Verdict, report: Report | None, wanted: str | None
) -> None:
    assert reaction_of(Outcome(verdict=verdict), report) == wanted


def test_every_verdict_and_every_fate_has_its_reaction() -> None:
    for verdict in Verdict:
        reaction_of(Outcome(verdict=verdict), None)
    for fate in ChangeStatus:
        reaction_of(Outcome(verdict=Verdict.answered), change(fate=fate))
