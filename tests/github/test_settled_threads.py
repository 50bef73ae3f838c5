"""The end of a review thread of ours: answered once, resolved where GitHub allows it, folded where it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import threads
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.resolve_thread import ResolveThread
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable
from claude_pool_gh.rehearsal.github import Fault, Pull, Respond
from claude_pool_gh.rehearsal.github.state.repository import ReviewComment
from claude_pool_gh.terms import ids
from tests.github.making import making
from tests.github.test_answers import Services, services

__all__ = ["services"]
GRAPHQL = "/api/graphql"
HEADLINE = "**Settled.**"


@dataclass
class Talk:
    """A finding of ours on a pull request, under which there is nothing more to do."""

    services: Services
    pull: Pull
    forge: Forge
    named: ids.Repository

    def finding(self, line: int = 1, by: Any = None, body: str = "found") -> ReviewComment:
        where = {"path": "a.py", "line": line, "side": "RIGHT"}
        text = f"{body}\n\n{marker('m1')}"
        bot = self.services.app.bot if by is None else by
        self.services.shop.review(self.pull, bot, comments=[{**where, "body": text}])
        return self.pull.review_comments[-1]

    async def settle(self, **facts: Any) -> int | None:
        return await self._make("fixed in abc", "settled:1", **facts)

    async def reopen(self, **facts: Any) -> int | None:
        return await self._make("open again", "settled:2", resolved=False, **facts)

    async def _make(
        self, reply: str, key: str, *, resolved: bool = True, **facts: Any
    ) -> int | None:
        number, headline = self.pull.number, HEADLINE if resolved else ""
        effect = ResolveThread(
            number=number, mark="m1", reply=reply, headline=headline, resolved=resolved
        )
        given = making(self.services, key, **facts)
        return await effect.make(self.forge, replace(given, repository=self.named))

    def answers(self, to: ReviewComment) -> list[str]:
        return [
            each.body.partition("\n")[0]
            for each in self.pull.review_comments
            if each.in_reply_to is to
        ]


@pytest.fixture
def talk(services: Services) -> Talk:
    github, shop = services.github, services.shop
    shop.commit("topic", {"a.py": "1\n2\n3\n"}, author=services.mona)
    pull = shop.open_pull("topic", author=services.mona)
    installation = github.install(services.app, "octo", [shop])
    installation.permissions = {**installation.permissions, "contents": "write"}
    access = AppAccess(
        services.session, github.api_url, str(services.app.id), services.app.private_key
    )
    forge = Forge(services.session, github.api_url, access, patience=0.001)
    named = services.named.model_copy(update={"installation_id": installation.id})
    return Talk(services, pull, forge, named)


def forbid(talk: Talk) -> None:
    """Let the installation have no right to push, which GitHub asks for."""
    for each in talk.services.github.world.installations.values():
        each.permissions = {**each.permissions, "contents": "read"}


async def test_it_is_answered_once_and_resolved(talk: Talk) -> None:
    found = talk.finding()
    for _ in range(2):
        assert await talk.settle() == found.id
    assert found.resolved_by is talk.services.app.bot
    assert talk.answers(found) == ["fixed in abc"]
    assert found.body.startswith("found"), "what is resolved needs not be folded"


async def test_where_github_does_not_allow_it_the_comment_is_folded_once(talk: Talk) -> None:
    found = talk.finding()
    forbid(talk)
    for _ in range(2):
        assert await talk.settle() == found.id
    assert found.resolved_by is None
    assert talk.answers(found) == ["fixed in abc"]
    assert found.body == (
        f"{HEADLINE}\n\n<details><summary>what was reported</summary>\n\n"
        f"found\n\n{marker('m1')}\n\n</details>"
    )


@pytest.mark.parametrize("allowed", [True, False])
async def test_what_is_open_again_is_as_it_was_but_for_the_answers(
    talk: Talk, *, allowed: bool
) -> None:
    found = talk.finding()
    before = found.body
    if not allowed:
        forbid(talk)
    await talk.settle()
    assert (found.resolved_by is None, found.body == before) == (not allowed, allowed)
    for _ in range(2):
        assert await talk.reopen() == found.id
    assert (found.resolved_by, found.body) == (None, before)
    assert talk.answers(found) == ["fixed in abc", "open again"]


async def test_what_was_never_made_or_was_deleted_is_no_error(talk: Talk) -> None:
    assert await talk.settle() is None
    found = talk.finding()
    await talk.services.github.delete_comment(talk.services.mona, found)
    assert await talk.settle() is None


async def test_a_copy_of_the_mark_by_somebody_else_is_left_alone(talk: Talk) -> None:
    theirs = talk.finding(by=talk.services.github.create_user("mallory"))
    assert await talk.settle() is None
    assert theirs.resolved_by is None
    assert talk.answers(theirs) == []


async def test_of_several_under_one_mark_the_newest_is_settled(talk: Talk) -> None:
    """What was settled once and came back stands there again."""
    first, last = talk.finding(), talk.finding(line=2)
    assert await talk.settle() == last.id
    assert (first.resolved_by, talk.answers(first)) == (None, [])
    assert last.resolved_by is not None


async def test_an_outage_is_tried_again_a_few_times_and_then_folded(talk: Talk) -> None:
    found = talk.finding()
    down = b'{"data": null, "errors": [{"type": "INTERNAL", "message": "x"}]}'
    fault = Fault(Respond(200, body=down), route=GRAPHQL, times=99)
    talk.services.github.faults.add(fault)
    for tries in (0, 4):
        with pytest.raises(ForgeUnavailable):
            await talk.settle(tries=tries)
    assert talk.answers(found) == ["fixed in abc"], "the answer stands and is not said again"
    assert found.body.startswith("found")
    hits = fault.hits
    assert await talk.settle(tries=5) == found.id
    assert fault.hits == hits, "it is not even asked for any more"
    assert found.body.startswith(HEADLINE)


async def test_one_that_a_person_resolved_is_answered_and_nothing_else(talk: Talk) -> None:
    found = talk.finding()
    found.resolved_by = talk.services.mona
    assert await talk.settle() == found.id
    assert found.resolved_by is talk.services.mona
    assert talk.answers(found) == ["fixed in abc"]
    assert found.body.startswith("found")


async def test_a_thread_is_found_among_very_many_by_the_comment_that_began_it(talk: Talk) -> None:
    every = [talk.finding(body=f"found {number}") for number in range(3)]
    every += [talk.finding(line=3) for _ in range(99)]
    answer = await talk.services.github.reply(talk.services.mona, every[0], "why?")

    async def resolve(comment: int) -> bool:
        return await threads.resolve(talk.forge, talk.named, talk.pull.number, comment)

    assert await resolve(every[101].id), "on the second page"
    assert not await resolve(answer.id), "an answer began none"
    assert not await resolve(5)
    assert [each.id for each in every if each.resolved_by is not None] == [every[101].id]


async def test_a_draft_that_a_dead_process_left_keeps_no_answer_back(talk: Talk) -> None:
    """GitHub refuses every answer of an account beside its draft, for good."""
    found, bot = talk.finding(), talk.services.app.bot
    draft = marker("draft of a review")
    talk.services.shop.review(talk.pull, bot, event=None, body=draft)
    assert await talk.settle() == found.id
    talk.services.shop.review(talk.pull, bot, event=None, body=draft)
    answer = Reply(number=talk.pull.number, body="words", in_reply_to=found.id)
    given = replace(making(talk.services, "words"), repository=talk.named)
    assert await answer.make(talk.forge, given)
    assert talk.answers(found) == ["fixed in abc", "words"]
    talk.services.shop.review(talk.pull, bot, event=None, body="of another workflow")
    with pytest.raises(ForgeRefused, match="one pending review"):
        await talk.reopen()
