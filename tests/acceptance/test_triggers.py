"""What asks for a command besides a comment: labels, new pull requests, pushes, the Re-run of a check."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from claude_pool_gh.conversation.services import CommandContext
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.errors import ForgeUnavailable
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Delivery, Pull
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.terms.ids import Trigger
from tests.acceptance.test_authorization import asked, judge_of
from tests.acceptance.test_webhook import post
from tests.acceptance.world import World, world

CONFIG: Final = ".github/claude-pool.yml"
QUICK: Final = Reviewer(quick=True)
CHAINS: Final = (
    "SELECT id, state, json_extract(outcome, '$.verdict') FROM chains ORDER BY created_ms"
)


async def ended(here: World, count: int) -> Sequence[tuple[Any, ...]]:
    """Wait until there are as many chains, all of them over; the chains."""
    await here.until(lambda: [state for _, state, _ in here.rows(CHAINS)] == ["done"] * count)
    return here.rows(CHAINS)


async def hear_everything_again(here: World) -> None:
    """Every delivery so far comes a second time under its own GUID, and a third time under another: nothing happens."""
    await here.quiet()
    before = here.answers(), here.rows(CHAINS), len(here.own_comments()), len(here.model.requests)

    async def under_another(delivery: Delivery) -> int:
        return await post(
            here, delivery.body, delivery.headers | {"X-GitHub-Delivery": str(uuid.uuid4())}
        )

    for delivery in list(here.github.deliveries):
        if delivery.state == "delivered":
            await here.github.redeliver(delivery)
            assert await under_another(delivery) == 202
    await here.quiet()
    assert (
        here.answers(),
        here.rows(CHAINS),
        len(here.own_comments()),
        len(here.model.requests),
    ) == before


async def test_a_label_asks_for_its_verb_in_the_name_of_whoever_put_it_there(here: World) -> None:
    here.model.script = QUICK
    sorter = here.github.create_user("sorter")
    here.repository.grant(sorter, "triage")

    async def label(name: str, by: Any) -> None:
        here.github.clock.advance(2)  # the time of the event has whole seconds
        here.repository.add_label(here.pull, name, by)
        await here.github.settle()
        await here.quiet()
        here.repository.remove_label(here.pull, name, by)

    await label("bug", here.maintainer)
    assert here.answers() == []
    for _ in range(2):
        await label("pool:review", sorter)
    await label("pool:reveiw", here.maintainer)
    refused, mistaken = here.replies()
    assert (
        "`/pool review` needs the role **write** in this repository; yours is **triage**" in refused
    )
    assert "Did you mean `/pool review`?" in mistaken
    assert here.rows(CHAINS) == []

    await label("pool:review", here.maintainer)
    await ended(here, 1)
    await hear_everything_again(here)
    await label("pool:review", here.maintainer)
    await ended(here, 2)
    await hear_everything_again(here)

    here.repository.commit("main", {CONFIG: "triggers: {labels: false}\n"}, author=here.maintainer)
    await label("pool:review", here.maintainer)
    assert here.answers()[-1][1] == "silence: label starts nothing here"
    assert len(here.replies()) == 2


async def test_pull_requests_are_reviewed_when_opened_only_where_that_is_wanted(
    here: World,
) -> None:
    here.model.script = QUICK
    author = here.pull.author

    def open_pull(branch: str, *, draft: bool = False) -> Pull:
        here.repository.commit(branch, {f"{branch}.py": "x = 1\n"}, author=author)
        return here.repository.open_pull(branch, title=branch, author=author, draft=draft)

    open_pull("one")
    unheard = open_pull("two", draft=True)
    here.repository.ready(unheard, author)
    await here.github.settle()
    await here.quiet()
    assert [answer for _, answer in here.answers()] == [
        "silence: opened starts nothing here",
        "silence: ready_for_review starts nothing here",
    ]

    config = "triggers: {opened: true, ready_for_review: true}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    draft = open_pull("three", draft=True)
    await here.github.settle()
    await here.quiet()
    assert here.rows(CHAINS) == [], "a draft is not ready to be read"
    here.repository.ready(draft, author)
    await ended(here, 1)
    await here.shows("review", "Nothing found", number=draft.number)
    opened = open_pull("four")
    await ended(here, 2)
    await here.shows("review", "Nothing found", number=opened.number)

    # A stranger's pull request asks for nothing that the stranger may not ask for, and says so once.
    stranger = here.github.create_user("stranger")
    fork = here.repository.fork("stranger")
    fork.commit("patch", {"s.py": "x = 1\n"}, author=stranger)
    theirs = here.repository.open_pull("stranger:patch", title="x", author=stranger)
    await here.github.settle()
    await here.quiet()
    (said,) = here.replies(theirs.number)
    assert "`/pool review` needs the role **write** in this repository; yours is **read**" in said
    await hear_everything_again(here)
    assert len(here.rows(CHAINS)) == 2


async def test_a_push_says_that_the_head_has_moved_and_where_wanted_begins_anew(
    here: World,
) -> None:
    here.model.script = Reviewer(stage.PLANTED[1:2], pace=1.0)
    await here.say("/pool review")
    await here.until(lambda: here.model.requests)
    first = here.pull.head_sha
    here.repository.commit(
        "feature", {"late.py": "z = 3\n"}, message="Late", author=here.maintainer
    )
    second = here.pull.head_sha
    await here.shows("review", second[:9])
    assert "running" in here.comment_of("review").split("\n", 1)[0]
    assert len(here.rows(CHAINS)) == 1, "nobody has asked for more"

    here.repository.commit("main", {CONFIG: "review: {on_push: true}\n"}, author=here.maintainer)
    here.repository.commit(
        "feature", {"later.py": "z = 4\n"}, message="Later", author=here.maintainer
    )
    third = here.pull.head_sha
    await here.until(lambda: len(here.rows(CHAINS)) == 2)
    here.model.script = QUICK
    (_, _, before), (_, _, after) = await ended(here, 2)
    assert (before, after) == ("cancelled", "clean")
    await here.shows("review", "Nothing found")
    checks = [run for sha in (first, second, third) for run in here.repository.check_runs(sha)]
    await here.quiet()
    assert [(run.head_sha, run.conclusion) for run in checks] == [
        (first, "cancelled"),
        (third, "success"),
    ]
    await hear_everything_again(here)


async def test_the_checks_own_button_runs_the_review_again_for_whoever_may(here: World) -> None:
    here.model.script = QUICK
    await here.say("/pool review")
    check = await here.reviewed()
    reader = here.github.create_user("reader")
    await here.github.press(reader, here.repository, check)
    await here.said("`/pool review` needs the role **write** in this repository; yours is **read**")
    await here.github.press(here.maintainer, here.repository, check)
    await ended(here, 2)
    await here.until(lambda: check.status == "completed")
    await here.quiet()
    assert check.conclusion == "success"
    assert len(here.repository.check_runs(here.pull.head_sha)) == 1, (
        "it is the same check, brought up to date"
    )
    assert len(here.own_comments()) - len(here.ends()) == 2, "one tracking comment, one refusal"
    await hear_everything_again(here)
    here.github.clock.advance(2)
    await here.github.press(here.maintainer, here.repository, check)
    await ended(here, 3)
    await here.github.press_all(reader, here.repository, check)
    await here.github.press_all(here.maintainer, here.repository, check)
    await ended(here, 4)
    await hear_everything_again(here)
    other = here.github.create_app("other-ci", webhook_secret="x" * 40)
    check.app, check.external_id = other, "check:1:1:review:abc"
    commands = len(here.answers())
    await here.github.press(here.maintainer, here.repository, check)
    await here.quiet()
    assert len(here.answers()) == commands


async def test_a_push_is_not_answered_with_the_head_of_before(tmp_path: Path) -> None:
    """GitHub tells of a push before all of its servers show it: the new commit would have no review."""
    async with world(tmp_path, start=False) as here, judge_of(here, tmp_path) as judge:
        here.repository.commit("main", {CONFIG: "review: {on_push: true}\n"})
        said = asked(here, await here.say("/pool review"), here.maintainer)

        def pushed(head: str) -> CommandRequest:
            source = Trigger(kind="push", id=f"{here.pull.number}:{head}")
            return said.model_copy(update={"source": source})

        with pytest.raises(ForgeUnavailable, match="has just told of"):
            await judge.hear(pushed("b" * 40), is_new=True)
        for request, is_new in ((pushed(here.pull.head_sha), True), (pushed("b" * 40), False)):
            assert isinstance(await judge.hear(request, is_new=is_new), CommandContext)
