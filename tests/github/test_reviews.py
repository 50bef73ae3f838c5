"""A review whose comments GitHub does not all take: what is refused costs only itself."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.review import InlineComment, Review
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, RateLimited
from claude_pool_gh.rehearsal.github import Fault, Pull, Reset, Respond, SimulatedGitHub
from claude_pool_gh.rehearsal.github.web.faults import Moment
from claude_pool_gh.terms import ids

REVIEWS = "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"
OLD = "".join(f"{n}\n" for n in range(1, 61))
FITS = InlineComment(path="a.txt", line=11, body="FITS", listed="listed FITS", mark="m1")
RANGE = InlineComment(path="a.txt", start_line=8, line=10, body="RANGE", listed="listed RANGE")
LEFT = InlineComment(path="a.txt", line=40, side="LEFT", body="LEFT", listed="listed LEFT")
GONE = InlineComment(path="gone.txt", line=2, side="LEFT", body="GONE", listed="listed GONE")
OUTSIDE = InlineComment(path="a.txt", line=25, body="OUTSIDE", listed="listed OUTSIDE")
OVER = InlineComment(path="a.txt", start_line=10, line=40, body="OVER", listed="listed OVER")
WRONG_SIDE = InlineComment(path="gone.txt", line=2, body="WRONG SIDE", listed="listed WRONG SIDE")
NO_FILE = InlineComment(path="b.txt", line=1, body="NO FILE")
ODD = InlineComment(path="a.txt", line=10, body="ODD", listed="listed odd")
MANY = tuple(
    InlineComment(path="many.txt", line=n, body=f"n{n}.", listed=f"listed {n}.", mark=f"f{n}")
    for n in range(1, 21)
)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[SimulatedGitHub, Pull, Forge, ids.Repository]]:
    async with SimulatedGitHub.start(folder) as github, aiohttp.ClientSession() as session:
        app, author = (
            github.create_app("claude-pool", webhook_secret="s"),
            github.create_user("mona"),
        )
        repository = github.create_repository(
            "octo/shop", files={"a.txt": OLD, "gone.txt": "1\n2\n"}
        )
        repository.grant(author, "write")
        head = OLD.replace("10\n", "ten\nmore\n").replace("40\n", "")
        repository.commit(
            "topic", {"a.txt": head, "gone.txt": None, "many.txt": OLD}, message="m", author=author
        )
        pull = repository.open_pull("topic", base="main", title="t", body="b", author=author)
        installation = github.install(app, "octo", [repository])
        forge = Forge(
            session,
            github.api_url,
            AppAccess(session, github.api_url, str(app.id), app.private_key),
            patience=0.01,
        )
        known = ids.Repository(
            id=repository.id, owner="octo", name="shop", installation_id=installation.id
        )
        yield github, pull, forge, known


def row(
    pull: Pull, repository: ids.Repository, *comments: InlineComment, **fields: Any
) -> EffectRow:
    values: dict[str, Any] = {
        "commit": pull.head_sha,
        "base": pull.base_sha,
        "body": "BODY",
    } | fields
    review = Review(number=pull.number, comments=comments, fallback="FALLBACK", **values)
    return EffectRow(
        key="review:c1",
        effect=review,
        repository=repository,
        version=1,
        first=True,
        attempted=False,
        remote_id=None,
        tries=0,
    )


async def made_by(forge: Forge, wanted: EffectRow) -> int | None:
    return await wanted.effect.make(forge, wanted.making)


def odd(github: SimulatedGitHub, *words: str) -> None:
    """Let GitHub refuse each request with a comment of these words, for a reason that it does not tell."""

    def holds(moment: Moment) -> bool:
        said = json.loads(moment.body).get("comments") or ()
        return any(one["body"].startswith(f"{word}\n") for one in said for word in words)

    no = Respond(422, "Unprocessable Entity")
    github.faults.add(Fault(no, method="POST", route=REVIEWS, times=10**6, when=holds))


def posts(github: SimulatedGitHub) -> int:
    return sum(one.method == "POST" and one.path.endswith("/reviews") for one in github.requests)


async def test_what_fits_is_posted_at_once_on_both_sides(tmp_path: Path) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        await made_by(forge, row(pull, repository, FITS, RANGE, LEFT, GONE))
        [review] = pull.reviews
        assert [(c.body.split("\n")[0], c.side, c.start_line, c.line) for c in review.comments] == [
            ("FITS", "RIGHT", None, 11),
            ("RANGE", "RIGHT", 8, 10),
            ("LEFT", "LEFT", None, 40),
            ("GONE", "LEFT", None, 2),
        ]
        assert (posts(github), review.body.startswith("BODY\n\n<!--")) == (1, True)


async def test_a_refused_comment_costs_itself_and_is_listed(tmp_path: Path) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        wanted = row(pull, repository, FITS, OUTSIDE, LEFT, OVER, WRONG_SIDE, NO_FILE)
        made = await made_by(forge, wanted)
        [review] = pull.reviews
        assert [comment.body.split("\n")[0] for comment in review.comments] == ["FITS", "LEFT"]
        for text in ("listed OUTSIDE", "listed OVER", "listed WRONG SIDE", "NO FILE"):
            assert text in review.body
        assert "listed FITS" not in review.body
        assert posts(github) == 2
        assert await wanted.effect.find(forge, wanted.making) == made == review.id


async def test_a_text_that_would_be_too_long_says_how_much_it_leaves_out(tmp_path: Path) -> None:
    async with stage(tmp_path) as (_github, pull, forge, repository):
        long = [
            OUTSIDE.model_copy(update={"listed": f"listed {n} " + "x" * 20_000}) for n in range(5)
        ]
        await made_by(forge, row(pull, repository, FITS, *long))
        [review] = pull.reviews
        assert [comment.body.split("\n")[0] for comment in review.comments] == ["FITS"]
        assert "listed 2 " in review.body
        assert "*2 more are left out here" in review.body


async def test_of_a_text_without_room_for_any_of_them_it_is_said_how_many_those_are(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as (_github, pull, forge, repository):
        await made_by(forge, row(pull, repository, FITS, OUTSIDE, NO_FILE, body="B" * 63_990))
        [review] = pull.reviews
        told = review.body.removeprefix("B" * 63_990).strip()
        assert told.startswith("*2 more are left out here")


@pytest.mark.parametrize(
    ("refused", "most"), [([7], 12), ([1, 20], 20), (range(1, 21, 2), 43), (range(1, 21), 43)]
)
async def test_only_those_that_github_refuses_lose_their_place(
    tmp_path: Path, refused: Sequence[int], most: int
) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        odd(github, *(f"n{n}." for n in refused))
        wanted = row(pull, repository, *MANY)
        made = await made_by(forge, wanted)
        check_many(pull, refused)
        assert made == pull.reviews[0].id == await wanted.effect.find(forge, wanted.making)
        assert posts(github) <= most
        before = posts(github)
        assert await wanted.effect.update(forge, wanted.making, made) == made
        check_many(pull, refused)
        assert posts(github) - before <= 2 * len(refused), "only what is missing is tried again"


def check_many(pull: Pull, refused: Sequence[int]) -> None:
    """Each comment stands once, at its line, or where that is refused in the text; and all are one review."""
    placed = [int(one.body.split(".")[0][1:]) for one in pull.review_comments]
    assert sorted(placed) == [n for n in range(1, 21) if n not in refused]
    [review] = pull.reviews
    assert review.body.startswith("BODY\n\n")
    listed = [int(each) for each in re.findall(r"^listed (\d+)\.$", review.body, re.MULTILINE)]
    assert sorted(listed) == list(refused)
    assert ("GitHub takes no comment" in review.body) == bool(refused)


@pytest.mark.parametrize(
    ("number", "after_effect"),
    [(1, False), (4, False), (8, False), (0, True), (1, True), (3, True)],
)
async def test_nothing_is_lost_or_doubled_wherever_the_process_dies(
    tmp_path: Path, number: int, *, after_effect: bool
) -> None:
    """At its end, as the writer does after a death, what may have been made is looked for and completed."""
    refused = [3, 4]
    async with stage(tmp_path) as (github, pull, forge, repository):
        odd(github, *(f"n{n}." for n in refused))
        wanted = row(pull, repository, *MANY)
        dies = Fault(Reset(), route=REVIEWS, method="POST", skip=number, after_effect=after_effect)
        github.faults.plan.insert(0, dies)
        try:
            await made_by(forge, wanted)
        except ForgeUnavailable:
            again = wanted.making
            found = await wanted.effect.find(forge, again)
            if found is None:
                await wanted.effect.make(forge, again)
            else:
                await wanted.effect.update(forge, again, found)
        assert dies.hits == 1
        check_many(pull, refused)


async def test_a_review_that_limits_interrupt_again_and_again_comes_to_an_end(
    tmp_path: Path,
) -> None:
    """GitHub takes none of its comments and asks to wait at each ninth request: twenty take forty."""
    async with stage(tmp_path) as (github, pull, forge, repository):
        limit = Respond(429, "x", {"Retry-After": "60"})
        ninth = Fault(limit, route=REVIEWS, method="POST", times=10**6)
        ninth.when = lambda _moment: posts(github) % 9 == 0
        github.faults.add(ninth)
        odd(github, *(f"n{n}." for n in range(1, 21)))
        wanted = row(pull, repository, *MANY)
        for tries in range(6):
            again = replace(wanted, tries=tries, attempted=tries > 0).making
            try:
                found = await wanted.effect.find(forge, again)
                if found is None:
                    await wanted.effect.make(forge, again)
                else:
                    await wanted.effect.update(forge, again, found)
                break
            except RateLimited:
                assert tries < 3
        assert ninth.hits == 3, "the control"
        check_many(pull, range(1, 21))


async def test_a_review_of_what_goes_into_another_branch_meanwhile_loses_nothing(
    tmp_path: Path,
) -> None:
    """Between the last look at the pull request and this request: GitHub shows another difference then."""
    async with stage(tmp_path) as (github, pull, forge, repository):
        shop, mona = github.repository("octo/shop"), github.create_user("hubert")
        shop.grant(mona, "write")
        wanted = row(pull, repository, FITS, MANY[4])
        shop.commit("release", {"b.txt": ""}, message="m", author=mona, onto=pull.head_sha)
        shop.retarget(pull, "release", mona)
        await made_by(forge, wanted)
        [review] = pull.reviews
        assert review.comments == []
        assert ("listed FITS" in review.body, "listed 5." in review.body) == (True, True)


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_draft_that_a_dead_process_left_keeps_no_review_back(
    tmp_path: Path, *, after_effect: bool
) -> None:
    """GitHub takes no review of an account that has a draft; nobody but that account sees it."""
    async with stage(tmp_path) as (github, pull, forge, repository):
        odd(github, "n3.")
        wanted = row(pull, repository, *MANY)
        dies = Fault(Reset(), method="DELETE", skip=1, times=10**6, after_effect=after_effect)
        github.faults.add(dies)
        with pytest.raises(ForgeUnavailable):
            await made_by(forge, wanted)
        dies.times = 0
        assert [one.state for one in pull.reviews] == ["PENDING"] * (not after_effect)
        assert await wanted.effect.find(forge, wanted.making) is None, "a draft is no review"
        await made_by(forge, wanted)
        check_many(pull, [3])


async def test_a_draft_of_somebody_else_under_the_same_account_is_not_touched(
    tmp_path: Path,
) -> None:
    """As of another workflow, which is `github-actions[bot]` too: the findings are told in a comment instead."""
    async with stage(tmp_path) as (_github, pull, forge, repository):
        path = f"/pulls/{pull.number}/reviews"
        await forge.call("POST", repository, path, {"body": "mine"})
        wanted = row(pull, repository, FITS, ODD)
        with pytest.raises(ForgeRefused, match="one pending review"):
            await made_by(forge, wanted)
        assert [(one.body, one.state) for one in pull.reviews] == [("mine", "PENDING")]
        instead = wanted.effect.instead()
        assert instead is not None
        assert instead.texts() == ("FALLBACK",)


async def test_a_comment_of_an_earlier_review_is_none_of_this_one(tmp_path: Path) -> None:
    """What was fixed once and came back is about the same finding, and stands there again."""
    async with stage(tmp_path) as (_github, pull, forge, repository):
        await made_by(forge, row(pull, repository, FITS))
        begun = replace(row(pull, repository), key="review:c2")
        made = await made_by(forge, begun)
        assert made is not None
        wanted = replace(row(pull, repository, FITS), key="review:c2")
        await wanted.effect.update(forge, wanted.making, made)
        assert sum(one.body.startswith("FITS") for one in pull.review_comments) == 2


async def test_where_nothing_can_stand_at_its_line_all_is_said_in_words(tmp_path: Path) -> None:
    async with stage(tmp_path) as (_github, pull, forge, repository):
        await made_by(forge, row(pull, repository, FITS, commit="1" * 40))
        [review] = pull.reviews
        assert (review.comments, review.body.startswith("FALLBACK")) == ([], True)


@pytest.mark.parametrize("kind", [Reset(), Respond(502)])
async def test_after_an_unknown_outcome_nothing_more_is_tried(tmp_path: Path, kind: Any) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        wanted = row(pull, repository, FITS, OUTSIDE)
        github.faults.add(Fault(kind, method="POST", route=REVIEWS, skip=1, after_effect=True))
        with pytest.raises(ForgeUnavailable):
            await made_by(forge, wanted)
        assert (len(pull.reviews), posts(github)) == (1, 2)
        assert await wanted.effect.find(forge, wanted.making) == pull.reviews[0].id


@pytest.mark.parametrize("dies", ["", "POST", "DELETE", "PUT"])
async def test_a_text_that_a_refusal_left_behind_is_completed_and_not_posted_again(
    tmp_path: Path, dies: str
) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        wanted = row(pull, repository, FITS, ODD)
        kind = Respond(422, "Unprocessable Entity")
        github.faults.add(Fault(kind, method="POST", route=REVIEWS, after_effect=True))

        async def without_comments(moment: Moment) -> None:
            if moment.phase == "after" and pull.reviews and github.faults.hooks:
                github.faults.hooks.clear()
                odd(github, "ODD")
                pull.review_comments.clear()
                pull.reviews[0].comments.clear()

        github.faults.hooks.append(without_comments)
        # In the last request of its kind: the comments that are taken, a draft that is deleted, the text.
        route, skip = {"POST": (REVIEWS, 2), "DELETE": (None, 1)}.get(dies, (None, 0))
        death = Fault(
            Reset(), method=dies, route=route, skip=skip, times=9, after_effect=dies == "POST"
        )
        if dies:
            github.faults.add(death)
            with pytest.raises(ForgeUnavailable):
                await made_by(forge, wanted)
            death.times = 0
            found = await wanted.effect.find(forge, wanted.making)
            assert found is not None
            await wanted.effect.update(forge, wanted.making, found)
        else:
            await made_by(forge, wanted)
        review, part = pull.reviews
        assert [one.state for one in pull.reviews] == ["COMMENTED", "COMMENTED"]
        assert (review.body.startswith("BODY"), "listed odd" in review.body) == (True, True)
        assert [one.body.split("\n")[0] for one in part.comments] == ["FITS"]
        assert await wanted.effect.find(forge, wanted.making) == review.id


async def test_another_refusal_is_no_matter_of_places(tmp_path: Path) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        github.faults.add(Fault(Respond(403, "Forbidden"), method="POST", route=REVIEWS))
        with pytest.raises(ForgeRefused):
            await made_by(forge, row(pull, repository, FITS))
        assert posts(github) == 1


@pytest.mark.parametrize("status", [500, 406])
async def test_a_difference_that_is_too_large_to_be_compared_keeps_no_review_back(
    tmp_path: Path, status: int
) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        too_large = Respond(status, "this diff is taking too long to generate")
        route = "/repos/{owner}/{repo}/compare/{basehead}"
        github.faults.add(Fault(too_large, method="GET", route=route, times=99))
        odd(github, "ODD")
        await made_by(forge, row(pull, repository, FITS, ODD))
        assert [one.body.split("\n")[0] for one in pull.review_comments] == ["FITS"]
        assert "listed odd" in pull.reviews[0].body
