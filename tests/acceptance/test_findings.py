"""What becomes of findings: new, still open, fixed, dismissed; said once, and where it belongs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Fault, Respond, ReviewComment
from claude_pool_gh.rehearsal.github.routes.graphql import PATH as GRAPHQL
from claude_pool_gh.rehearsal.github.web.faults import Moment
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World

SQL, BOUNDARY = stage.PLANTED[:2]
NEW = replace(
    BOUNDARY,
    finding={
        "path": "shop/extra.py",
        "start_line": 2,
        "end_line": 2,
        "severity": "medium",
        "category": "correctness",
        "title": "Half of it is lost",
        "body": "Integer division.",
        "scenario": "half(3) -> 1",
        "evidence": "    return n // 2",
        "confidence": 0.9,
    },
)


@pytest.fixture
def colleague(here: World) -> Colleague:
    """The model, which finds the planted defects."""
    made = Colleague(planted=[SQL, BOUNDARY])
    here.model.script = made
    return made


async def reviewed_once(here: World) -> list[ReviewComment]:
    """A first review; its inline comments, the SQL first."""
    await here.say("/pool review")
    await here.shows("review", "2 findings (worst: critical) in 2 files read")
    await here.until(lambda: here.reviews)
    return sorted(here.reviews[0].comments, key=lambda each: each.path, reverse=True)


async def again(here: World, what: str, line: str = "/pool review") -> str:
    """Another review, at the head as it is now; its comment."""
    here.seen_heads.append(here.pull.head_sha)
    await here.say(line)
    return await here.shows("review", what)


def answers_to(here: World, comment: ReviewComment) -> list[ReviewComment]:
    """What was answered in a thread."""
    return [each for each in here.pull.review_comments if each.in_reply_to is comment]


def _about_resolving(moment: Moment) -> bool:
    """Whether a request resolves a thread of a review, or asks for those that there are."""
    return moment.route == GRAPHQL and (
        b"ReviewThreads" in moment.body or b"ResolveThread" in moment.body
    )


@pytest.mark.rotating(2)
async def test_a_push_brings_new_fixed_and_still_open_each_said_once_and_where_it_belongs(
    here: World, colleague: Colleague
) -> None:
    sql, boundary = await reviewed_once(here)
    mended = stage.head_files()["shop/prices.py"].replace(
        "quantity > BULK_FROM", "quantity >= BULK_FROM"
    )
    moved = "# a line more\n\n" + stage.head_files()["shop/store.py"]
    files = {
        "shop/prices.py": mended,
        "shop/store.py": moved,
        "shop/extra.py": "def half(n):\n    return n // 2\n",
    }
    here.repository.commit("feature", files, message="Mend", author=here.maintainer)
    colleague.planted = [SQL, NEW, replace(BOUNDARY, verdict="fixed")]
    said = boundary.body
    here.github.faults.add(Fault(Respond(502), when=_about_resolving, after_effect=True, times=2))

    shown = await again(here, "1 new, 1 fixed, 1 still open (worst: critical) in 3 files read")
    await here.written()
    head = here.pull.head_sha
    assert "Found earlier, still open: `shop/store.py:26-27`" in shown
    assert "Found earlier, now fixed: Exactly ten pieces get no bulk discount" in shown
    assert [each.path for each in here.reviews[-1].comments] == ["shop/extra.py"], (
        "nothing is said twice"
    )
    assert len(here.reviews) == 2
    assert f"Fixed at `{head[:9]}`" in await here.replied_under(boundary)
    assert boundary.resolved_by is here.app.bot
    assert boundary.body == said
    assert len(answers_to(here, boundary)) == 1, "GitHub's failures meanwhile made nothing twice"
    assert sql.resolved_by is None

    # Asked again at the same head: nothing is said or settled a second time.
    comments = len(here.pull.review_comments)
    await again(here, "2 findings still open (worst: ")
    await here.written()
    assert len(here.pull.review_comments) == comments


async def test_a_dismissed_finding_is_not_reported_again_and_the_next_reviewer_is_told_why(
    here: World, colleague: Colleague
) -> None:
    sql, boundary = await reviewed_once(here)
    # Without the right to push GitHub lets nobody resolve a thread: then the comment itself says it.
    here.installation.permissions = {**here.installation.permissions, "contents": "read"}
    await here.github.reply(here.maintainer, boundary, "/pool dismiss")
    assert "needs a reason" in await here.replied_under(boundary)
    await here.github.reply(
        here.maintainer, boundary, "/pool dismiss ten is meant to be full price"
    )
    folded = "✖️ **Dismissed** by `mona`\n\n<details><summary>what was reported</summary>\n\n"
    await here.until(lambda: boundary.body.startswith(folded))
    assert boundary.resolved_by is None
    assert "Dismissed by `mona`: ten is meant to be full price." in await here.replied_under(
        boundary, 2
    )

    stranger = here.github.create_user("stranger")
    await here.github.reply(stranger, sql, "/pool dismiss I wrote it")
    assert "needs the role **write**" in await here.replied_under(sql)
    here.github.react(stranger, sql, "-1")
    changed = {"shop/prices.py": stage.head_files()["shop/prices.py"] + "\n\nX = 1\n"}
    here.repository.commit("feature", changed, message="More", author=here.maintainer)
    await again(here, "1 finding still open (worst: ")
    assert len(here.reviews) == 1
    told = next(each.text for each in colleague.seen if "Dismissed by maintainers" in each.text)
    assert (
        '"Exactly ten pieces get no bulk discount", because "ten is meant to be full price"' in told
    )
    fences = [line for line in told.splitlines() if line.startswith("=== material ")]
    inside = [told.split(fences[0])[number] for number in (1, 3)]
    assert not any("Dismissed by maintainers" in each for each in inside), (
        "the host's own facts stand outside"
    )

    here.github.react(here.maintainer, sql, "-1")
    here.repository.commit(
        "feature", {"shop/prices.py": changed["shop/prices.py"] + "Y = 1\n"}, author=here.maintainer
    )
    await again(here, "Nothing found in 1 file")
    await here.say("/pool status")
    status = await here.said("What became of earlier findings")
    assert "| review | 2 | 0 | 2 (100 %) | 0 | 0 |" in status


async def test_a_finding_is_named_by_its_first_digits_and_mended_by_a_reply(
    here: World, colleague: Colleague
) -> None:
    sql, boundary = await reviewed_once(here)
    (name,) = re.findall(r"`([0-9a-f]{8})`", boundary.body)
    await here.say("/pool dismiss")
    which = await here.said("Which finding? Reply to it, or start with its ID:")
    assert f"- `{name}` Exactly ten pieces get no bulk discount" in which
    await here.say("/pool fix 12345678")
    await here.handled(3)
    assert here.answers()[-1] == ("/pool fix 12345678", "answered"), (
        "no agent is paid to fix a number"
    )
    here.github.faults.add(Fault(Respond(502), when=_about_resolving, times=1000))
    await here.say(f"/pool dismiss {name} not a defect")
    await here.said(f"Dismissed: Exactly ten pieces get no bulk discount (`{name}`).")
    await here.until(lambda: boundary.body.startswith("✖️ **Dismissed** by `mona`\n\n<details>"))
    assert len(answers_to(here, boundary)) == 1

    await here.github.reply(here.maintainer, sql, "/pool fix with a placeholder")
    await here.shows("fix", "AWAITING APPROVAL")
    asked = next(each.text for each in colleague.seen if "The problems to fix" in each.text)
    assert "The customer's name is pasted into the SQL text" in asked
    assert "The maintainer adds: with a placeholder" in asked
    assert "Exactly ten pieces" not in asked.split("The problems to fix")[1]


async def test_what_is_open_when_a_pull_request_is_closed_counts_as_ignored(
    here: World, colleague: Colleague
) -> None:
    await reviewed_once(here)
    here.repository.close(here.pull, here.maintainer)
    await here.until(lambda: here.rows("SELECT DISTINCT state FROM findings") == [("ignored",)])
    await here.say("/pool status")
    assert "| review | 2 | 0 | 0 | 2 (100 %) | 0 |" in await here.said(
        "What became of earlier findings"
    )
    assert colleague.seen
    here.repository.reopen(here.pull, here.maintainer)
    await here.until(lambda: here.rows("SELECT DISTINCT state FROM findings") == [("open",)])
