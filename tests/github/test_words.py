"""Comments, answers, labels and reactions on GitHub: made where they belong, found again, and never another's taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from claude_pool_gh.github.access import JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import marks
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.reaction import Reaction
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, NotFound
from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.rehearsal.github.state.repository import ReviewComment
from claude_pool_gh.terms.ids import CommentRef
from tests.github.making import making
from tests.github.test_answers import Services, services

__all__ = ["services"]
COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"


def bodies(services: Services) -> list[str]:
    return [each.body.partition("\n")[0] for each in services.shop.comments(1)]


def inline(services: Services) -> ReviewComment:
    """A comment of ours on a line of a new pull request."""
    shop, mona = services.shop, services.mona
    shop.commit("topic", {"a.py": "x = 1\n"}, author=mona)
    pull = shop.open_pull("topic", author=mona)
    where = {"path": "a.py", "line": 1, "side": "RIGHT", "body": "look here"}
    shop.review(pull, mona, comments=[where])
    return pull.review_comments[0]


# ---- marks


def test_a_mark_is_one_for_each_key_and_stands_behind_the_text() -> None:
    mark = marks.marker("k")
    assert mark == marks.marker("k") != marks.marker("K")
    assert mark.startswith("<!-- claude-pool:")
    assert len(mark) == len("<!-- claude-pool: -->") + 24
    assert "k" not in mark.removeprefix("<!-- claude-pool:"), "the key itself is nobody's business"
    assert marks.marked("text", mark) == {"body": f"text\n\n{mark}"}


async def test_only_what_we_made_ourselves_is_ours(services: Services) -> None:
    mark, listing = marks.marker("k"), "/issues/1/comments"
    copied = f"text\n\n{mark}"
    await services.github.comment(services.github.create_user("mallory"), services.shop, 1, copied)
    await services.github.comment(services.mona, services.shop, 1, "without a mark")
    assert await marks.ours(services.forge, services.named, listing, mark) is None
    assert await marks.id_of_ours(services.forge, services.named, listing, mark) is None
    first = await services.github.comment(services.mona, services.shop, 1, copied)
    last = await services.github.comment(services.mona, services.shop, 1, copied)
    assert await marks.id_of_ours(services.forge, services.named, listing, mark) == first.id
    newest = await marks.newest_of_ours(services.forge, services.named, listing, mark)
    assert newest["id"] == last.id


async def test_where_our_own_account_is_not_found_nothing_is_said_of_what_we_made(
    services: Services,
) -> None:
    token = services.github.create_token(services.mona)
    access = JobAccess(services.session, services.github.api_url, token, "no-such-account")
    forge = Forge(services.session, services.github.api_url, access, patience=0.001)
    services.github.faults.add(Fault(Respond(403, "no"), route="/api/graphql"))
    with pytest.raises(ForgeUnavailable, match="did not find the bot's own account"):
        await marks.ours(forge, services.named, "/issues/1/comments", marks.marker("k"))


# ---- comments


async def test_a_comment_is_made_found_and_edited(services: Services) -> None:
    effect, facts = Comment(number=1, body="one"), making(services)
    assert await effect.find(services.forge, facts) is None
    made = await effect.make(services.forge, facts)
    assert made is not None
    assert await effect.find(services.forge, facts) == made
    assert await effect.find(services.forge, making(services, "other")) is None
    edited = Comment(number=1, body="two")
    assert await edited.update(services.forge, facts, made) == made
    (there,) = services.shop.comments(1)
    assert there.body == f"two\n\n{facts.marker}"
    await services.github.delete_comment(services.mona, there)
    with pytest.raises(NotFound):
        await edited.update(services.forge, facts, made)


# ---- answers


async def test_an_answer_takes_the_place_of_an_earlier_one(services: Services) -> None:
    earlier = await services.github.comment(services.mona, services.shop, 1, "earlier")
    effect = Reply(number=1, body="answer", replaces=earlier.id)
    made = await effect.make(services.forge, making(services))
    assert bodies(services) == ["answer"]
    assert await effect.find(services.forge, making(services)) == made
    assert await effect.make(services.forge, making(services, "again")), "it is gone already"
    assert bodies(services) == ["answer", "answer"]


async def test_what_an_answer_replaces_is_deleted_also_when_the_answer_is_found(
    services: Services,
) -> None:
    """Its process was killed between the two."""
    earlier = await services.github.comment(services.mona, services.shop, 1, "earlier")
    effect, facts = Reply(number=1, body="answer", replaces=earlier.id), making(services)
    fault = Fault(Respond(502), method="DELETE", route=COMMENT)
    services.github.faults.add(fault)
    with pytest.raises(ForgeUnavailable):
        await effect.make(services.forge, facts)
    assert bodies(services) == ["earlier", "answer"]
    found = await effect.find(services.forge, facts)
    assert found is not None
    assert await effect.update(services.forge, facts, found) == found
    assert bodies(services) == ["answer"]


async def test_an_answer_in_a_thread_of_a_review_is_made_and_found_there(
    services: Services,
) -> None:
    first = inline(services)
    number = first.pull.number
    effect, facts = Reply(number=number, body="answer", in_reply_to=first.id), making(services)
    made = await effect.make(services.forge, facts)
    assert [(each.id, each.in_reply_to) for each in first.pull.review_comments] == [
        (first.id, None),
        (made, first),
    ]
    assert await effect.find(services.forge, facts) == made
    plain = Reply(number=number, body="answer")
    assert await plain.find(services.forge, facts) is None, "it looks in the conversation"
    assert services.shop.comments(number) == []


# ---- labels


async def test_labels_are_added_to_those_that_are_there(services: Services) -> None:
    issue = services.shop.issue(1)
    services.shop.add_label(issue, "old")
    effect = Labels(number=1, names=("bug", "old"))
    for _ in range(2):
        assert await effect.make(services.forge, making(services)) is None
    assert [label.name for label in issue.labels] == ["old", "bug"]
    assert await effect.find(services.forge, making(services)) is None


# ---- reactions


@dataclass
class Reacting:
    """Reactions to one comment, by more than us."""

    services: Services
    source: CommentRef
    to: Any

    async def react(self, content: Any, **facts: Any) -> int:
        effect = Reaction(comment=self.source, content=content)
        return await effect.make(self.services.forge, making(self.services, **facts))

    async def found(self) -> int | None:
        effect = Reaction(comment=self.source, content="eyes")
        return await effect.find(self.services.forge, making(self.services))

    def shown(self) -> set[tuple[str, str]]:
        return {(each.user.login, each.content) for each in self.to.reactions}


@pytest.fixture(params=["issue_comment", "review_comment"])
async def reacting(services: Services, request: pytest.FixtureRequest) -> Reacting:
    anna = services.github.create_user("anna")
    to: Any = (
        inline(services)
        if request.param == "review_comment"
        else await services.github.comment(anna, services.shop, 1, "/pool review")
    )
    services.github.react(anna, to, "eyes")
    services.github.react(services.mona, to, "heart")
    return Reacting(services, CommentRef(id=to.id, kind=request.param), to)


OTHERS = {("anna", "eyes"), ("mona", "heart")}


async def test_a_reaction_follows_what_became_of_the_command(reacting: Reacting) -> None:
    made = await reacting.react("eyes")
    assert reacting.shown() == OTHERS | {("mona", "eyes")}
    assert await reacting.react("eyes", remote_id=made) == made, "GitHub makes it once"
    done = await reacting.react("+1", remote_id=made)
    assert reacting.shown() == OTHERS | {("mona", "+1")}
    assert await reacting.found() == done


async def test_one_whose_id_was_lost_is_taken_back_and_nobody_elses(reacting: Reacting) -> None:
    assert await reacting.found() is None
    await reacting.react("eyes")
    assert await reacting.found() is not None
    await reacting.react("confused", attempted=True)
    assert reacting.shown() == OTHERS | {("mona", "confused")}


async def test_a_first_reaction_takes_nothing_back(reacting: Reacting) -> None:
    """The token may be a person's own, who has reacted too."""
    reacting.services.github.react(reacting.services.mona, reacting.to, "+1")
    await reacting.react("eyes")
    assert reacting.shown() == OTHERS | {("mona", "+1"), ("mona", "eyes")}


async def test_one_that_is_gone_already_is_no_error(reacting: Reacting) -> None:
    made = await reacting.react("eyes")
    reacting.to.reactions[:] = [each for each in reacting.to.reactions if each.id != made]
    effect = Reaction(comment=reacting.source, content="+1")
    assert await effect.update(reacting.services.forge, making(reacting.services), made) != made
    assert reacting.shown() == OTHERS | {("mona", "+1")}


async def test_a_refusal_to_react_is_told(services: Services) -> None:
    services.github.faults.add(Fault(Respond(403, "locked"), times=9))
    effect = Reaction(comment=CommentRef(id=5), content="eyes")
    with pytest.raises(ForgeRefused, match="locked"):
        await effect.make(services.forge, making(services))
