"""Of the issues that a thread's text names, agents are told a few, and GitHub is asked for few, whatever it says."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.prompts.thread_prompt import linked_issues
from claude_pool_gh.rehearsal.github import Issue
from tests.conversation.simulated.kit import Desk

ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def issues(desk: Desk) -> list[Issue]:
    made = [desk.shop.open_issue(f"Title {n}", f"Text {n}", desk.mona) for n in range(4)]
    desk.shop.open_issue("Hidden <!-- no --> words", "a <!-- b --> c\u200b", desk.mona)
    return made


async def told(desk: Desk, text: str) -> tuple[str, int]:
    """What is told of the issues that a text names, and how often GitHub was asked."""
    before = len(desk.github.requests)
    said = await linked_issues(desk.services, desk.facts(), text)
    return said, sum(each.route == ISSUE for each in desk.github.requests[before:])


async def test_an_issue_is_told_with_title_and_text_once_in_the_order_of_its_name(
    desk: Desk, issues: list[Issue]
) -> None:
    first, second = issues[0].number, issues[1].number
    said, asked = await told(desk, f"as in #{second}, (#{first}) and #{second} again")
    assert said == f"#{second}: Title 1\nText 1\n\n#{first}: Title 0\nText 0"
    assert asked == 2


async def test_of_more_than_three_the_first_are_told(desk: Desk, issues: list[Issue]) -> None:
    said, asked = await told(desk, " ".join(f"#{each.number}" for each in issues))
    assert [line for line in said.split("\n") if line.startswith("#")] == [
        f"#{each.number}: Title {n}" for n, each in enumerate(issues[:3])
    ]
    assert asked == 3


@pytest.mark.parametrize(
    "text",
    ["no#{0}", "##{0}", "other/repo#{0}", "&#{0}", "#{0}a", "# {0}", "<!-- #{0} -->", "`x`#{0}"],
)
async def test_what_names_no_issue_here_asks_for_none(
    desk: Desk, issues: list[Issue], text: str
) -> None:
    assert await told(desk, text.format(issues[0].number)) == ("", 0)


async def test_its_own_thread_is_not_told_again(desk: Desk, issues: list[Issue]) -> None:
    said, asked = await told(desk, f"#{desk.pull.number} #{issues[0].number}")
    assert (said.split("\n")[0], asked) == (f"#{issues[0].number}: Title 0", 1)


async def test_what_is_hidden_in_an_issue_is_not_told(desk: Desk, issues: list[Issue]) -> None:
    said, _ = await told(desk, f"#{issues[-1].number + 1}")
    assert said == f"#{issues[-1].number + 1}: Hidden  words\na  c"


async def test_numbers_of_nothing_cost_a_few_requests_however_many_there_are(
    desk: Desk, issues: list[Issue]
) -> None:
    """Whoever writes an issue could else use up what GitHub allows the bot in an hour."""
    nothing = " ".join(f"#{number}" for number in range(90_000, 90_500))
    said, asked = await told(desk, f"#{issues[0].number} {nothing} #{issues[1].number}")
    assert said == f"#{issues[0].number}: Title 0\nText 0"
    assert asked <= 10
