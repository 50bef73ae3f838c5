"""The discussion as a thread's page shows it: what is hidden there does not leave, and what is old is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_pool_gh.github import discussion as module
from claude_pool_gh.github.discussion import Discussion, discussion
from claude_pool_gh.rehearsal.github import Fault, Pull, Respond
from claude_pool_gh.terms.ids import Thread
from tests.github.test_answers import Services, services

__all__ = ["services"]
GRAPHQL = "/api/graphql"


@pytest.fixture
def pull(services: Services) -> Pull:
    services.shop.commit("topic", {"a.py": "1\n2\n3\n4\n"}, author=services.mona)
    return services.shop.open_pull("topic", author=services.mona)


def inline(services: Services, pull: Pull, body: str, line: int = 1) -> Any:
    where = {"path": "a.py", "line": line, "side": "RIGHT", "body": body}
    services.shop.review(pull, services.mona, comments=[where])
    return pull.review_comments[-1]


async def told(services: Services, pull: Pull, **more: Any) -> Discussion:
    thread = Thread(repository=services.named, number=pull.number)
    return await discussion(services.forge, thread, **{"is_pull": True} | more)


def texts(found: Discussion) -> list[str]:
    inside = [each.text for thread in found.threads for each in thread.said]
    return [each.text for each in (*found.comments, *(r.said for r in found.reviews))] + inside


async def test_everything_said_is_told_with_who_and_where(services: Services, pull: Pull) -> None:
    github, shop, mona = services.github, services.shop, services.mona
    comment = await github.comment(mona, shop, pull.number, "plain")
    anna = github.create_user("anna")
    shop.review(pull, anna, body="whole", event="REQUEST_CHANGES")
    first = inline(services, pull, "inline", line=2)
    await github.reply(anna, first, "answer")
    found = await told(services, pull)
    (said,) = found.comments
    assert (said.id, said.text, said.author.login) == (comment.id, "plain", "mona")
    assert (said.is_comment, said.at != "") == (True, True)
    (review,) = found.reviews
    assert (review.said.text, review.state, review.said.is_comment) == (
        "whole",
        "CHANGES_REQUESTED",
        False,
    )
    (thread,) = found.threads
    assert (thread.root, thread.path, thread.line, thread.side) == (first.id, "a.py", 2, "RIGHT")
    assert [(each.author.login, each.text) for each in thread.said] == [
        ("mona", "inline"),
        ("anna", "answer"),
    ]
    assert thread.hunk.startswith("@@")
    assert (found.thread(first.id), found.thread(5)) == (thread, None)
    assert (found.beyond, found.unknown) == (0, 0)


async def test_what_is_hidden_is_not_told(services: Services, pull: Pull) -> None:
    github, shop, mona = services.github, services.shop, services.mona
    for text in ("plain", "spam"):
        comment = await github.comment(mona, shop, pull.number, text)
        comment.minimized = text == "spam"
    for text in ("whole", "rude"):
        shop.review(pull, mona, body=text)
        pull.reviews[-1].minimized = text == "rude"
    first = inline(services, pull, "inline")
    (await github.reply(mona, first, "noise")).minimized = True
    alone = inline(services, pull, "alone", line=3)
    alone.minimized = True
    found = await told(services, pull)
    assert texts(found) == ["plain", "whole", "inline"]
    assert found.unknown == 0, "GitHub has told of all of them"
    asked = await told(services, pull, root=alone.id)
    assert [(each.root, len(each.said)) for each in asked.threads] == [(first.id, 1), (alone.id, 0)]


async def test_where_github_does_not_say_what_is_hidden_nothing_is_told_and_all_of_it_counted(
    services: Services, pull: Pull
) -> None:
    await services.github.comment(services.mona, services.shop, pull.number, "plain")
    inline(services, pull, "inline")
    services.github.faults.add(Fault(Respond(403, "no"), route=GRAPHQL, times=99))
    found = await told(services, pull)
    assert (texts(found), found.unknown) == ([], 2)


async def test_an_outage_that_passes_hides_nothing(services: Services, pull: Pull) -> None:
    await services.github.comment(services.mona, services.shop, pull.number, "plain")
    fault = services.github.faults.add(Fault(Respond(502), route=GRAPHQL, times=1))
    found = await told(services, pull)
    assert (texts(found), fault.hits) == (["plain"], 1)


async def test_one_that_is_deleted_meanwhile_costs_itself(services: Services, pull: Pull) -> None:
    """GitHub refuses to answer for any of those that it was asked about together."""
    comments = [
        await services.github.comment(services.mona, services.shop, pull.number, f"{number}")
        for number in range(5)
    ]
    whole = json.dumps(
        [
            {"id": each.id, "body": each.body, "node_id": node, "user": None}
            for each, node in zip(
                comments, await nodes(services, pull, lost=comments[3].id), strict=True
            )
        ]
    ).encode()
    route = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
    services.github.faults.add(Fault(Respond(200, body=whole), route=route))
    found = await told(services, pull)
    assert texts(found) == ["0", "1", "2", "4"]
    assert found.unknown == 0


async def nodes(services: Services, pull: Pull, lost: int) -> list[str]:
    listed = await services.forge.read(services.named, f"/issues/{pull.number}/comments")
    return ["bm9uZQ==" if each["id"] == lost else str(each["node_id"]) for each in listed]


async def test_what_was_settled_is_told_as_that(services: Services, pull: Pull) -> None:
    settled, open_ = inline(services, pull, "one"), inline(services, pull, "two", line=3)
    settled.resolved_by = services.mona
    found = await told(services, pull)
    assert {each.root: each.resolved for each in found.threads} == {
        settled.id: True,
        open_.id: False,
    }
    query = next(each for each in services.github.requests if each.route == GRAPHQL)
    assert query.status == 200


async def test_of_what_is_old_only_the_number_is_told(
    services: Services, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST", 2)
    github, shop, mona = services.github, services.shop, services.mona
    for number in range(4):
        await github.comment(mona, shop, pull.number, f"comment {number}")
    for number in range(3):
        shop.review(pull, mona, body=f"review {number}")
    threads = [inline(services, pull, f"line {number}", line=number + 1) for number in range(4)]
    found = await told(services, pull)
    assert texts(found) == [
        "comment 2",
        "comment 3",
        "review 1",
        "review 2",
        "line 2",
        "line 3",
    ]
    assert found.beyond == 2 + 1 + 2
    asked = await told(services, pull, root=threads[0].id)
    assert [each.root for each in asked.threads] == [each.id for each in (threads[0], *threads[2:])]
    assert asked.beyond == 2 + 1 + 1


async def test_of_an_issue_only_comments_are_asked_for(services: Services) -> None:
    await services.github.comment(services.mona, services.shop, 1, "plain")
    thread = Thread(repository=services.named, number=1)
    found = await discussion(services.forge, thread, is_pull=False)
    assert texts(found) == ["plain"]
    assert all("/pulls/" not in each.path for each in services.github.requests)


async def test_a_review_without_words_or_not_submitted_says_nothing(
    services: Services, pull: Pull
) -> None:
    anna = services.github.create_user("anna")
    services.shop.review(pull, anna, event="APPROVE")
    services.shop.review(pull, services.mona, body="draft", event=None)
    services.shop.review(pull, anna, body="fine", event="APPROVE")
    found = await told(services, pull)
    assert [(each.said.text, each.state) for each in found.reviews] == [("fine", "APPROVED")]


def test_a_badge_is_what_the_page_shows() -> None:
    for association, badge in (
        ("OWNER", "owner"),
        ("MEMBER", "member"),
        ("COLLABORATOR", "collaborator"),
        ("CONTRIBUTOR", ""),
        (None, ""),
    ):
        comment = {"id": 1, "path": "a", "author_association": association}
        ((said,),) = (each.said for each in module.by_thread([comment]))
        assert said.badge == badge
