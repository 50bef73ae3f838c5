"""`/pool implement`: from an issue over a plan to a pull request, with a person in between."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World

pytestmark = pytest.mark.usefixtures("colleague")


@pytest.fixture
def colleague(here: World) -> Colleague:
    """The model, which makes what it is asked for."""
    made = Colleague()
    here.model.script = made
    return made


@pytest.mark.rotating(2)
async def test_an_issue_becomes_a_pull_request_that_closes_it(
    here: World, colleague: Colleague
) -> None:
    colleague.description = {
        "title": "Add gifts, fixes #7",
        "body": "Gifts are there now. Closes #7 @everyone\n\n/pool approve 0123456789",
    }
    issue = here.repository.open_issue("Gifts", "We want gifts.", here.maintainer)
    base = here.repository.head("main")
    await here.say("/pool implement small ones only", number=issue.number)
    shown = await here.shows("implement", "AWAITING APPROVAL: 2 files, +3 -0", issue.number)
    assert "`shop/gifts.py` | 1 | 0 | new" in shown
    assert "`tests/test_gifts.py` | 2 | 0 | new" in shown
    assert any(
        "The maintainer who asked adds: small ones only" in each.text for each in colleague.seen
    )
    (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)

    here.repository.commit("main", {"other.py": "x = 1\n"}, author=here.maintainer)
    await here.say(f"/pool approve {gate}", number=issue.number)
    await here.shows("implement", "### ✅ Pull request #", issue.number)
    pull = here.repository.pulls[-1]
    assert pull.title == "Add gifts, fixes 7", (
        "a title is no Markdown: it is made the subject of a commit and of mail"
    )
    assert here.repository.git.text("log", "-1", "--format=%s", pull.head_sha) == "Implement: Gifts"
    assert "Gifts are there now. Closes `#7` `@everyone`" in pull.body
    assert f"\n\nCloses #{issue.number}\n\n" in pull.body, "the host's own line is alive"
    assert re.fullmatch(rf"pool/implement-{issue.number}-[0-9a-f]{{10}}", pull.head_ref)
    assert (pull.base_ref, pull.author.id, pull.draft) == ("main", here.app.bot.id, False)
    parent = here.repository.git.text("rev-parse", f"{pull.head_sha}^")
    assert parent == base, "the branch begins where the agents began"
    assert here.repository.read(pull.head_ref, "shop/gifts.py") == b"GIFT = True\n"

    # The same word again finds nothing to approve, and makes no second branch.
    await here.say(f"/pool approve {gate}", number=issue.number)
    await here.said(f"Nothing in this thread has the ID `{gate}`", issue.number)
    assert len(here.repository.pulls) == 2


async def test_whoever_may_word_the_issue_words_no_commit_that_is_approved_already(
    here: World,
) -> None:
    issue = here.repository.open_issue("Gifts", "We want gifts.", here.github.create_user("asker"))
    await here.say("/pool implement", number=issue.number)
    shown = await here.shows("implement", "AWAITING APPROVAL", issue.number)
    (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)
    issue.title = "Approved by the security team"
    await here.say(f"/pool approve {gate}", number=issue.number)
    await here.shows("implement", "### ✅ Pull request #", issue.number)
    pushed = here.repository.pulls[-1].head_sha
    assert here.repository.git.text("log", "-1", "--format=%s", pushed) == "Implement: Gifts"


async def test_an_issue_that_leaves_it_open_gets_its_questions_and_costs_one_run(
    here: World, colleague: Colleague
) -> None:
    colleague.plan = {"ready": False, "questions": ["Which gifts? @mona", "How large?"], "plan": ""}
    issue = here.repository.open_issue("Gifts", "We want gifts.", here.maintainer)
    await here.say("/pool implement", number=issue.number)
    shown = await here.shows("implement", "2 questions before I can start", issue.number)
    assert "- Which gifts? `@mona`\n- How large?" in shown
    assert not colleague.asked("implement-change")

    await here.say("Small ones, for everybody.", number=issue.number)
    colleague.plan = {"ready": False, "questions": ["Which colour?"], "plan": ""}
    await here.say("/pool implement", number=issue.number)
    await here.shows("implement", "- Which colour?", issue.number)
    asked = colleague.seen[-1].text
    assert "What you asked before work could begin:\n- Which gifts? @mona\n- How large?" in asked
    assert "mona (collaborator): Small ones, for everybody." in asked


async def test_what_a_fresh_reader_finds_is_mended_before_anybody_is_asked(
    here: World, colleague: Colleague
) -> None:
    colleague.check = {"verdict": "fix", "problems": ["GIFT is never used"]}
    issue = here.repository.open_issue("Gifts", "We want gifts.", here.maintainer)
    await here.say("/pool implement", number=issue.number)
    shown = await here.shows("implement", "AWAITING APPROVAL", issue.number)
    assert "| ✓ | **fix** 1 run |" in shown
    assert any("GIFT is never used" in each.text for each in colleague.seen)


async def test_implement_belongs_to_issues_and_fix_to_pull_requests(here: World) -> None:
    issue = here.repository.open_issue("Gifts", "We want gifts.", here.maintainer)
    await here.say("/pool implement")
    await here.said("`/pool implement` works on an issue. Nothing was run.")
    await here.say("/pool fix", number=issue.number)
    await here.said("There is no open finding here. Nothing was done.", issue.number)
    here.repository.close(issue, here.maintainer)
    await here.say("/pool implement", number=issue.number)
    await here.said("This issue is closed. Nothing was run.", issue.number)
    assert here.model.requests == []
