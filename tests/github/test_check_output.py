"""What failed at a commit: told of others' checks and statuses, and never of our own."""

from __future__ import annotations

import pytest

from claude_pool_gh.github import check_output
from claude_pool_gh.github.check_output import FailedCheck
from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.rehearsal.github.acts import checks
from claude_pool_gh.rehearsal.github.state.people import Actor
from tests.github.test_answers import Services, services

__all__ = ["services"]
RUNS = "/repos/{owner}/{repo}/commits/{ref}/check-runs"
STATUS = "/repos/{owner}/{repo}/commits/{ref}/status"
ANNOTATIONS = "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations"


def check(services: Services, name: str, conclusion: str | None = "failure", **more: object) -> int:
    """A check run at the head; None: one that runs."""
    end = {} if conclusion is None else {"status": "completed", "conclusion": conclusion}
    return services.shop.check(services.shop.head(), name, services.mona, **end, **more).id


def status(services: Services, context: str, state: str, description: str = "") -> None:
    body = {"context": context, "state": state, "description": description}
    checks.create_status(services.shop.state, Actor(services.mona), services.shop.head(), body)


async def failed(services: Services) -> list[FailedCheck]:
    return await check_output.failed(services.forge, services.named, services.shop.head())


async def names(services: Services) -> list[str]:
    return await check_output.names_of_failed(services.forge, services.named, services.shop.head())


@pytest.mark.parametrize(
    ("conclusion", "is_told"),
    [
        ("failure", True),
        ("timed_out", True),
        ("cancelled", False),
        ("action_required", False),
        ("neutral", False),
        ("success", False),
        (None, False),
    ],
)
async def test_only_what_failed_is_told(
    services: Services, conclusion: str | None, *, is_told: bool
) -> None:
    check(services, "build", conclusion)
    assert await names(services) == (["build"] if is_told else [])


async def test_a_check_of_ours_is_no_failure_of_others(services: Services) -> None:
    """Both its name and its external id make it ours: each alone can be somebody else's."""
    check(services, "claude-pool/review", external_id="check:1:2:review:x")
    check(services, "claude-pool/other", external_id="theirs")
    check(services, "theirs", external_id="check:them")
    check(services, "plain")
    status(services, "claude-pool/review", "failure")
    assert sorted(await names(services)) == ["claude-pool/other", "plain", "theirs"]


async def test_what_a_check_says_is_told_with_its_lines(services: Services) -> None:
    annotations = [
        {
            "path": path,
            "start_line": line,
            "end_line": line,
            "annotation_level": "failure",
            "title": title,
            "message": "broken",
        }
        for path, line, title in (("a.py", 3, "Oh"), ("b.py", 1, ""), ("a.py", 9, ""))
    ]
    output = {"title": "3 errors", "summary": "sum", "text": "log", "annotations": annotations}
    check(services, "build", output=output)
    check(services, "silent")
    silent, build = sorted(await failed(services), key=lambda each: len(each.annotations))
    assert silent == FailedCheck(name="silent")
    assert build == FailedCheck(
        name="build",
        title="3 errors",
        summary="sum",
        text="log",
        annotations=("a.py:3 Oh broken", "b.py:1 broken", "a.py:9 broken"),
        paths=("a.py", "b.py"),
    )


async def test_only_for_checks_that_have_lines_these_are_asked_for(services: Services) -> None:
    check(services, "silent")
    await failed(services)
    assert all(each.route != ANNOTATIONS for each in services.github.requests)


async def test_statuses_are_told_after_checks(services: Services) -> None:
    check(services, "build")
    for context, state in (("ci/a", "failure"), ("ci/b", "error"), ("ci/c", "pending")):
        status(services, context, state, f"{context} says so")
    status(services, "ci/d", "failure")
    status(services, "ci/d", "success")
    told = await failed(services)
    assert told[0].name == "build"
    assert sorted((each.name, each.title) for each in told[1:]) == [
        ("ci/a", "ci/a says so"),
        ("ci/b", "ci/b says so"),
    ]


async def test_of_very_many_ten_of_each_are_told(services: Services) -> None:
    for number in range(12):
        check(services, f"check {number}")
        status(services, f"status {number}", "failure")
    told = await names(services)
    assert [each.split()[0] for each in told] == ["check"] * 10 + ["status"] * 10


async def test_one_that_failed_first_is_found_behind_very_many_others(services: Services) -> None:
    """GitHub lists a hundred at a time, the newest first."""
    check(services, "the first")
    status(services, "the first status", "failure")
    for number in range(101):
        check(services, f"check {number}", "success")
        status(services, f"status {number}", "success")
    assert await names(services) == ["the first", "the first status"]


@pytest.mark.parametrize(
    ("route", "left"),
    [(RUNS, ["ci"]), (STATUS, ["build"]), (ANNOTATIONS, ["build", "ci"])],
)
async def test_what_may_not_be_read_is_left_out_and_the_rest_is_told(
    services: Services, route: str, left: list[str]
) -> None:
    one = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure"}
    check(services, "build", output={"annotations": [{**one, "message": "m"}], "title": "t"})
    status(services, "ci", "failure")
    services.github.faults.add(Fault(Respond(403, "no"), route=route, times=99))
    told = await failed(services)
    assert [each.name for each in told] == left
    assert all(not each.annotations for each in told) == (route != STATUS)
