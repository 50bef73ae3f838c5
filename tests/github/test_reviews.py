"""A review whose comments GitHub does not all take: what is refused costs only itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.review import InlineComment, Review
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable
from claude_pool_gh.rehearsal.github import Fault, Pull, Reset, Respond, SimulatedGitHub
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
BLANK = InlineComment(path="a.txt", line=10, body="", listed="listed BLANK")


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
        repository.commit("topic", {"a.txt": head, "gone.txt": None}, message="m", author=author)
        pull = repository.open_pull("topic", base="main", title="t", body="b", author=author)
        installation = github.install(app, "octo", [repository])
        forge = Forge(
            session,
            github.api_url,
            AppAccess(session, github.api_url, str(app.id), app.private_key),
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


async def test_what_github_refuses_for_a_reason_of_its_own_is_found_by_leaving_it_out(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as (_github, pull, forge, repository):
        await made_by(forge, row(pull, repository, FITS, BLANK, LEFT))
        [review] = pull.reviews
        assert [comment.body.split("\n")[0] for comment in review.comments] == ["FITS", "LEFT"]
        assert "listed BLANK" in review.body


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


async def test_a_text_that_a_refusal_left_behind_is_completed_and_not_posted_again(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as (github, pull, forge, repository):
        wanted = row(pull, repository, FITS)
        kind = Respond(422, "Unprocessable Entity")
        github.faults.add(Fault(kind, method="POST", route=REVIEWS, after_effect=True))
        made = await made_by(forge, wanted)
        [review] = pull.reviews
        assert (review.id, posts(github), review.body.startswith("FALLBACK")) == (made, 1, True)
        assert await wanted.effect.find(forge, wanted.making) == made


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
        await made_by(forge, row(pull, repository, FITS, BLANK))
        [review] = pull.reviews
        assert [comment.body.split("\n")[0] for comment in review.comments] == ["FITS"]
