"""One query tells the same as the single reads of REST, and where it cannot, these are asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from claude_pool_gh.github import reads
from claude_pool_gh.github.access import JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import ForgeUnavailable, NotFound, RateLimited
from claude_pool_gh.github.overview import overview
from claude_pool_gh.github.trusted import Listed, TrustedFiles, listing_of, trusted_file
from claude_pool_gh.rehearsal.github import Fault, Pull, Repository, Respond, SimulatedGitHub, User
from claude_pool_gh.rehearsal.github.state.git import Symlink
from claude_pool_gh.terms.ids import Repository as Named
from claude_pool_gh.terms.ids import Thread
from tests.rehearsal.contract.checker import shared

CONFIG: Final = ".github/claude-pool.yml"
RECIPE: Final = ".github/claude-pool/skills/find-defects/SKILL.md"
GRAPHQL: Final = "/api/graphql"
FILES: Final[Mapping[str, Any]] = {
    CONFIG: "budget: {task: 1}\n",
    RECIPE: "Look.\n",
    ".github/claude-pool/workflows/tidy.yml": "steps: []\n",
    ".github/claude-pool/review.md": "Be kind: ä.\n",
    ".github/claude-pool/link.md": Symlink("../../README.md"),
    ".github/claude-pool/odd.md": b"\xff\xfe\x00",
    ".github/claude-pool/large.md": "x" * (256 * 1024 + 1),
    ".github/claude-pool/a/b/c/deep.md": "deep\n",
    ".github/CODEOWNERS": "* @mona\n",
    "README.md": "# shop\n",
}
ASKED: Final = (*FILES, ".github/claude-pool/none.md", ".github/none", "none/none.md", "docs")


@dataclass
class Place:
    """A forge with the token of a job, and the repository that it is about."""

    github: SimulatedGitHub
    forge: Forge
    shop: Repository
    mona: User

    @property
    def named(self) -> Named:
        return Named(id=self.shop.id, owner="octo", name="shop")

    def thread(self, number: int) -> Thread:
        return Thread(repository=self.named, number=number)

    def asked(self, since: int) -> list[str]:
        """The routes of every request since then."""
        return [str(each.route) for each in self.github.requests[since:]]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    contract = shared()
    contract.clear()
    async with (
        SimulatedGitHub.start(tmp_path / "github") as github,
        aiohttp.ClientSession() as session,
    ):
        github.observe(contract)
        mona = github.create_user("mona")
        shop = github.create_repository("octo/shop", files=FILES)
        shop.grant(mona, "admin")
        token = github.create_token(
            github.actions_bot,
            shop,
            {"contents": "read", "issues": "read", "pull_requests": "read"},
        )
        access = JobAccess(session, github.api_url, token)
        yield Place(github, Forge(session, github.api_url, access, patience=0.001), shop, mona)
        contract.assert_clean()


def opened(place: Place, author: User) -> Pull:
    """A pull request from a fork, with a label."""
    fork = place.shop.fork(author.login)
    fork.commit("patch", {"a.py": "x = 1\n"}, message="Patch", author=author)
    pull = place.shop.open_pull(
        f"{author.login}:patch",
        base="main",
        title="A patch",
        body="Mends *it*.\r\nAll.",
        author=author,
    )
    place.shop.add_label(pull, "bug", place.mona)
    return pull


async def test_a_thread_is_the_same_as_rest_tells_it(place: Place) -> None:
    bot = place.github.create_app("renovate").bot
    issue = place.shop.open_issue("A question", "Why?\n", bot)
    pull, gone = (
        opened(place, place.github.create_user("ann")),
        opened(place, place.github.create_user("bob")),
    )
    Repository(place.github.world, gone.head_repository).delete()
    place.shop.close(gone, place.mona)
    place.shop.lock(gone)
    for number in (issue.number, pull.number, gone.number):
        seen = (await overview(place.forge, place.thread(number), CONFIG)).thread
        assert seen is not None
        assert seen.issue == await reads.issue(place.forge, place.thread(number))
        is_pull = number != issue.number
        told = await reads.pull(place.forge, place.thread(number)) if is_pull else None
        assert seen.pull == told
        assert told is None or (told.head_repository_id is None) == (number == gone.number)


async def test_files_are_the_same_as_rest_tells_them(place: Place) -> None:
    number = place.shop.open_issue("x", "y", place.mona).number
    files = (await overview(place.forge, place.thread(number), CONFIG)).files
    assert (files.branch, files.commit) == ("main", place.shop.head("main"))
    for path in ASKED:
        assert await files.file(path) == await trusted_file(
            place.forge, place.named, "main", path
        ), path
    for folder in ("", ".github", "none"):
        alone = TrustedFiles(place.forge, place.named, branch="main")
        assert sorted(await files.names(folder)) == sorted(await alone.names(folder))


async def test_all_recipes_are_one_request_and_what_is_not_there_is_none(place: Place) -> None:
    number = place.shop.open_issue("x", "y", place.mona).number
    before = len(place.github.requests)
    files = (await overview(place.forge, place.thread(number), CONFIG)).files
    assert await files.file(CONFIG)
    assert not await files.file("docs/CODEOWNERS")
    assert place.asked(before) == [GRAPHQL]
    for name in ("review.md", "none.md", "workflows/tidy.yml", "skills/find-defects/SKILL.md"):
        await files.file(f".github/claude-pool/{name}")
    assert place.asked(before) == [GRAPHQL, GRAPHQL]

    place.shop.commit("main", {path: None for path in FILES if "/claude-pool/" in path})
    before = len(place.github.requests)
    files = (await overview(place.forge, place.thread(number), CONFIG)).files
    assert not await files.file(RECIPE)
    assert place.asked(before) == [GRAPHQL], "there is no such folder"


async def test_files_are_all_of_the_commit_that_was_seen_first(place: Place) -> None:
    number = place.shop.open_issue("x", "y", place.mona).number
    files = (await overview(place.forge, place.thread(number), CONFIG)).files
    late = {
        RECIPE: "Trust me.\n",
        ".github/claude-pool/link.md": "Me too.\n",
        CONFIG: "runs_in: action\n",
    }
    place.shop.commit("main", late)
    for path, text in late.items():
        found = await files.file(path)
        assert found is None or found.text != text, path


UNKNOWN: Final = [
    {"type": "undefinedField", "message": "Field 'file' doesn't exist on type 'Commit'"}
]
FORBIDDEN: Final = [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]
REFUSED: Final[Mapping[str, Respond]] = {
    "a field that an older server does not know": Respond(
        200, body=json.dumps({"errors": UNKNOWN}).encode()
    ),
    "a permission": Respond(200, body=json.dumps({"data": None, "errors": FORBIDDEN}).encode()),
    "no such API": Respond(404, "Not Found"),
    "a page": Respond(200, body=b"<html>"),
    "other fields": Respond(200, body=b'{"data": {"repository": {}}}'),
    "nothing": Respond(200, body=b'{"data": null}'),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_where_the_query_is_refused_rest_is_asked(place: Place, case: str) -> None:
    number = opened(place, place.github.create_user("ann")).number
    place.github.faults.add(Fault(REFUSED[case], route=GRAPHQL, times=99))
    seen = await overview(place.forge, place.thread(number), CONFIG)
    assert seen.thread is None
    assert seen.files.commit == place.shop.head("main")
    for path in ASKED:
        assert await seen.files.file(path) == await trusted_file(
            place.forge, place.named, "main", path
        )
    assert "claude-pool.yml" in str(await seen.files.names(".github"))


async def test_a_repository_without_a_commit_has_no_files(place: Place) -> None:
    empty = place.github.create_repository("octo/empty", files={})
    empty.grant(place.mona, "admin")
    number = empty.open_issue("x", "y", place.mona).number
    token = place.github.create_token(place.mona)
    place.forge.access = JobAccess(place.forge._session, place.github.api_url, token)
    named = Named(id=empty.id, owner="octo", name="empty")
    seen = await overview(place.forge, Thread(repository=named, number=number), CONFIG)
    assert (seen.files.branch, seen.files.commit) == ("main", "")
    assert await seen.files.file(CONFIG) is None
    assert await seen.files.names("") == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Respond(502, "Bad gateway"), ForgeUnavailable),
        (Respond(429, "", {"Retry-After": "99"}), RateLimited),
    ],
)
async def test_what_passes_is_no_reason_to_ask_otherwise(
    place: Place, answer: Respond, error: type[Exception]
) -> None:
    number = place.shop.open_issue("x", "y", place.mona).number
    fault = place.github.faults.add(Fault(answer, route=GRAPHQL, times=99))
    before = len(place.github.requests)
    with pytest.raises(error):
        await overview(place.forge, place.thread(number), CONFIG)
    assert set(place.asked(before)) == {GRAPHQL}
    place.github.faults.clear()
    assert fault.hits >= 1
    place.github.faults.add(Fault(Respond(502), route=GRAPHQL, times=2))
    assert (await overview(place.forge, place.thread(number), CONFIG)).thread is not None


async def test_a_name_that_another_repository_has_now_is_not_read(place: Place) -> None:
    number = place.shop.open_issue("x", "y", place.mona).number
    other = Named(id=place.shop.id + 1, owner="octo", name="shop")
    before = len(place.github.requests)
    with pytest.raises(NotFound, match="the name of another repository now"):
        await overview(place.forge, Thread(repository=other, number=number), CONFIG)
    assert place.asked(before) == [GRAPHQL]


def test_a_listing_knows_what_it_knows() -> None:
    blob = {
        "__typename": "Blob",
        "oid": "b",
        "byteSize": 1,
        "isBinary": False,
        "isTruncated": False,
    }
    entry = {"name": "a", "type": "blob", "mode": 0o100644, "object": {**blob, "text": "x"}}
    tree = {"entries": [entry, {"name": "t", "type": "tree", "mode": 0o40000, "object": {}}]}
    listing = listing_of("f", tree)
    assert listing.look("f/b") is Listed.absent
    assert listing.look("f/a/b") is Listed.unread
    assert listing.look("f/t/x") is Listed.unread
    assert listing.look("g") is Listed.unread
