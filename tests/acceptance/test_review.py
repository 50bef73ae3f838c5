from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET
from claude_pool_gh.rehearsal.model import Answer, Fail, ModelRequest, Reply, ToolUse, say
from claude_pool_gh.rehearsal.reviewer import Planted, Reviewer
from claude_pool_gh.rehearsal.skills import skill_of
from tests.acceptance.world import World, world


@pytest.mark.rotating(1)
async def test_a_review_comes_back_as_comment_review_check_and_bill(shop: World) -> None:
    comment = await shop.say("Have a look, please.\n\n/pool review")
    check = await shop.reviewed()

    assert [reaction.content for reaction in comment.reactions] == ["+1"]
    assert (check.name, check.conclusion) == ("claude-pool/review", "neutral")
    assert (
        check.title == "2 findings (worst: critical) in 2 files read; 1 claim could not be settled"
    )
    await shop.github.until(lambda: shop.reviews)
    (review,) = shop.reviews
    assert review.state == "COMMENTED"
    assert review.commit_id == shop.pull.head_sha
    assert [(c.path, c.line) for c in review.comments] == [
        ("shop/store.py", 25),
        ("shop/prices.py", 10),
    ]
    assert "```suggestion\n    if quantity >= BULK_FROM:\n```" in review.comments[1].body
    assert len(shop.own_comments()) == 1
    assert shop.tracking.startswith(
        "### 🔎 2 findings (worst: critical) in 2 files read; 1 claim could not be settled\n"
    )
    assert (
        "Refuted by a second reader: 1\n  - The voucher is rounded in the shop's favour"
        in shop.tracking
    )
    assert "cents are whole by design" in shop.tracking, "with the second reader's reason"
    assert "**Not settled**: 1\n  - A line that the file does not have" in shop.tracking
    verified = [each for each in shop.model.requests if skill_of(each) == "verify-finding"]
    assert all("What this pull request changes there" in request.text for request in verified)
    assert all("It changes." in request.text for request in verified), "the description"
    assert all(
        "integer cents" in request.system.lower() or "AGENTS.md" in request.system
        for request in verified
    )
    argument = str(stage.PLANTED[0].finding["body"])
    assert not any(argument in request.text for request in verified), (
        "not the first reader's argument"
    )
    assert shop.ledger == shop.model.bill.total
    assert f"**${shop.model.bill.total / 1e6:.4f}**" in shop.tracking, (
        "a part of it is less than a cent"
    )


@pytest.mark.rotating(2)
async def test_nothing_found_is_green_and_writes_no_review(here: World) -> None:
    await here.say("/pool review")
    check = await here.reviewed()

    assert (check.conclusion, check.title) == ("success", "Nothing found in 2 files")
    assert "| ✓ | **find** 1 run |" in here.tracking
    assert "| ⏭ | **verify** |" in here.tracking, "with no claim there was nothing to verify"
    assert here.reviews == []
    assert here.tracking.startswith("### ✅ Nothing found in 2 files\n")


async def test_the_first_comment_promises_what_it_will_do_and_may_cost(shop: World) -> None:
    shop.model.script = Reviewer(stage.PLANTED[1:2], pace=1.0)
    bodies: list[str] = []
    shop.github.on_request(_collect(shop, bodies))
    await shop.say("/pool review --budget 1.25")
    await shop.reviewed()
    first = bodies[0].splitlines()[0]
    assert first.startswith(f"### Review of [`{shop.pull.head_sha[:9]}`](")
    assert "At most $1.25" in bodies[0]
    assert any("in_progress" not in body and "▶ | **find**" in body for body in bodies)


def _collect(here: World, bodies: list[str]):  # type: ignore[no-untyped-def]
    async def hook(_moment: object) -> None:
        if here.tracking and (not bodies or bodies[-1] != here.tracking):
            bodies.append(here.tracking)

    return hook


@pytest.mark.rotating(1)
async def test_every_agent_works_at_the_pinned_head_with_reading_tools_only(found: World) -> None:
    await found.say("/pool review")
    await found.reviewed()
    tools = frozenset[str]().union(*(request.tools for request in found.model.requests))
    assert tools - {"DeferredToolPlaceholder"} == {"Read", "Grep", "Glob", "StructuredOutput"}
    assert {request.headers["x-api-key"] for request in found.model.requests} == {
        "sk-ant-rehearsal-real-key"
    }


async def test_a_large_change_is_spread_over_several_agents(tmp_path: Path) -> None:
    files = {f"pkg{i // 10}/module_{i}.py": "x = 1\n" * 30 for i in range(45)}
    async with world(tmp_path, head=files) as here:
        here.model.script = Reviewer(quick=True)
        await here.say("/pool review")
        check = await here.reviewed()
        assert check.title == "Nothing found in 45 files"
        assert "**find** 4 runs" in here.tracking


async def test_a_part_that_could_not_be_read_is_never_green(tmp_path: Path) -> None:
    files = {f"module_{i:02}.py": "x = 1\n" * 30 for i in range(30)}
    async with world(tmp_path, head=files) as here:
        calm = Reviewer(looks=False)

        def script(request: ModelRequest) -> Reply:
            return (
                Fail(400, "invalid_request_error", "no")
                if "+++ b/module_29" in request.text
                else calm(request)
            )

        here.model.script = script
        await here.say("/pool review")
        check = await here.reviewed()
        assert check.conclusion == "neutral"
        assert check.title is not None
        assert check.title.startswith("NOT REVIEWED: 1 of 3 parts could not be read")


@pytest.mark.rotating(1)
async def test_a_model_without_a_typed_result_is_a_failure_never_a_clean_review(
    here: World,
) -> None:
    for answer in (
        say("All good!"),
        say(""),
        Answer((ToolUse("StructuredOutput", {"findings": "none"}),)),
    ):
        here.model.script = partial(_always, answer)
        await here.say("/pool review")
        await here.github.until(lambda: here.check is not None and here.check.status != "completed")
        check = await here.reviewed()
        assert check.conclusion == "neutral"
        assert "NOT REVIEWED" in (check.title or "")


def _always(answer: Answer, _request: ModelRequest) -> Reply:
    return answer


@pytest.mark.long
async def test_ten_megabytes_of_answer_are_a_failure_with_a_bill(here: World) -> None:
    here.model.script = lambda _request: say("x" * 10_000_000)
    await here.say("/pool review")
    check = await here.reviewed()
    assert check.conclusion in ("neutral", "action_required")
    assert "NOT REVIEWED" in (check.title or "")
    assert here.ledger >= here.model.bill.total > 0


async def test_a_budget_too_small_ends_the_review_before_it_is_passed(shop: World) -> None:
    await shop.say("/pool review --budget 0.05")
    check = await shop.reviewed()
    assert check.conclusion == "action_required"
    assert "out of budget" in (check.title or "")
    assert shop.model.bill.total <= 50_000
    assert shop.ledger == shop.model.bill.total


async def test_a_cap_that_is_used_up_refuses_the_run_by_name(here: World) -> None:
    here.repository.commit(
        "main", {".github/claude-pool.yml": "budget:\n  thread: 2\n"}, author=here.maintainer
    )
    await here.say("/pool review")
    answer = await here.answered()
    assert "the cap per thread of $2.00 has $2.00 left" in answer
    assert "/pool review --budget 2.00" in answer
    assert here.model.requests == []


@pytest.mark.rotating(1)
async def test_a_second_review_edits_the_same_comment_and_repeats_nothing(shop: World) -> None:
    shop.model.script = Reviewer(stage.PLANTED[:3])
    await shop.say("/pool review")
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    shop.repository.commit(
        "feature", {"shop/more.py": "y = 2\n"}, message="More", author=shop.maintainer
    )
    shop.seen_heads.append(shop.pull.head_sha)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.repository.check_runs(shop.pull.head_sha))
    check = await shop.reviewed()

    assert check.head_sha == shop.pull.head_sha
    assert check.title == "2 findings still open (worst: critical) in 1 file read"
    assert check.conclusion == "neutral"
    assert len(shop.reviews) == 1
    assert "1 earlier run" in shop.tracking


async def test_a_push_while_it_runs_leaves_the_review_at_the_commit_that_was_read(
    shop: World,
) -> None:
    old = shop.pull.head_sha
    shop.model.script = Reviewer(stage.PLANTED[1:2], pace=1.0)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.model.requests)
    shop.repository.commit(
        "feature", {"late.py": "z = 3\n"}, message="Late", author=shop.maintainer
    )
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    assert shop.reviews[0].commit_id == old
    assert f"The head has moved to [`{shop.pull.head_sha[:9]}`](" in shop.tracking


@pytest.mark.long
async def test_a_branch_rewritten_while_it_runs_gets_no_inline_comments(shop: World) -> None:
    shop.model.script = Reviewer(stage.PLANTED, pace=0.4)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.model.requests)
    shop.repository.commit(
        "feature",
        stage.head_files(),
        message="Again",
        author=shop.maintainer,
        onto=shop.repository.head("main"),
    )
    await shop.reviewed()
    assert shop.reviews == []
    assert "the branch was rewritten" in shop.tracking
    assert "The customer" in shop.tracking


async def test_a_pull_request_closed_while_it_runs_gets_no_review(shop: World) -> None:
    shop.model.script = Reviewer(stage.PLANTED[1:2], pace=1.0)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.model.requests)
    shop.repository.close(shop.pull, shop.maintainer)
    await shop.reviewed()
    assert shop.reviews == []
    assert "was closed while it was reviewed" in shop.tracking


async def test_a_fork_is_reviewed_without_any_token_for_it(found: World) -> None:
    stranger = found.github.create_user("stranger")
    fork = found.repository.fork("stranger")
    fork.commit("patch", stage.head_files(), message="From outside", author=stranger)
    pull = found.repository.open_pull(
        "stranger:patch", base="main", title="From outside", body="", author=stranger
    )
    found.pull, found.seen_heads = pull, [pull.head_sha]
    await found.say(f"/pool ok {pull.head_sha}\n/pool review")
    check = await found.reviewed()
    assert check.title == "1 finding (worst: high) in 2 files read"


async def test_an_empty_change_is_said_to_be_empty(tmp_path: Path) -> None:
    async with world(tmp_path, base={"a.py": "x = 1\n"}, head={"a.py": "x = 2\n"}) as here:
        here.repository.commit(
            "feature", {"a.py": "x = 1\n"}, message="Back", author=here.maintainer
        )
        here.seen_heads = [here.pull.head_sha]
        await here.say("/pool review")
        check = await here.reviewed()
        assert (check.conclusion, check.title) == (
            "neutral",
            "NOT REVIEWED: the pull request changes nothing",
        )
        assert here.model.requests == []


async def test_a_change_of_nothing_but_a_lock_file_is_told_what_reads_it(tmp_path: Path) -> None:
    async with world(tmp_path, head={"package-lock.json": "{}\n"}) as here:
        await here.say("/pool review")
        check = await here.reviewed()
        assert check.conclusion == "neutral"
        assert "name it: package-lock.json" in str(check.title)
        assert "to have it read: `/pool review PATH`" in here.tracking
        assert "to review all of it" not in here.tracking
        assert here.model.requests == []


async def test_binary_and_non_utf8_files_do_no_harm(tmp_path: Path) -> None:
    head = {
        "logo.png": b"\x89PNG\0\0" * 50,
        "latin.py": "name = 'caf\xe9'\n".encode("latin-1"),
        "ok.py": "x = 1\n",
    }
    async with world(tmp_path, head=head) as here:
        await here.say("/pool review")
        check = await here.reviewed()
        assert check.title == "Nothing found in 2 files"
        assert "Skipped (binary or excluded): `logo.png`" in here.tracking


@pytest.mark.long
async def test_three_thousand_files_are_read_as_far_as_one_review_goes_and_said_so(
    tmp_path: Path,
) -> None:
    head = {f"src/d{i // 100}/f{i}.py": f"x = {i}\n" for i in range(3000)}
    async with world(tmp_path, head=head) as here:
        here.model.script = Reviewer(looks=False)
        await here.say("/pool review --budget 9")
        check = await here.reviewed(timeout=90)
        assert check.conclusion == "action_required"
        assert "**Not read:**" in here.tracking
        assert " and 2750 more" in here.tracking


async def test_text_in_a_finding_comes_to_no_life(shop: World) -> None:
    hostile = dict(stage.PLANTED[1].finding) | {
        "title": "Look @octo/admins, fixes #1 <img src=x>",
        "body": "/pool approve abc\n\n/merge\n\n<!-- hidden --> ![x](http://evil.example/?leak) @mona",
        "suggestion": None,
    }
    shop.model.script = Reviewer([Planted(hostile)], quick=True)
    await shop.say("/pool review")
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    texts = [shop.tracking, shop.reviews[0].body, *(c.body for c in shop.reviews[0].comments)]
    for text in texts:
        assert not any(line.startswith(("/pool a", "/merge")) for line in text.splitlines())
        shown = re.sub(
            r"<(code|pre)>.*?</\1>", "", MarkdownIt("commonmark").render(text), flags=re.DOTALL
        )
        ours = rf'<a href="{re.escape(shop.github.url)}/octo/shop/(blob|commit)/[^"]*">'
        shown = re.sub(ours, "", re.sub(r"requested by.*", "", shown))
        assert not re.search(r"@octo|@mona|#1|<img|<a |http", shown)


async def test_what_looks_like_a_secret_in_a_finding_is_taken_out(shop: World) -> None:
    leaking = dict(stage.PLANTED[1].finding) | {
        "body": f"A token stands here: ghs_{'a1B2' * 12}.",
        "suggestion": None,
    }
    shop.model.script = Reviewer([Planted(leaking)], quick=True)
    await shop.say("/pool review")
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    (comment,) = shop.reviews[0].comments
    assert "A token stands here: [redacted]" in comment.body


async def test_a_post_with_a_key_of_this_server_is_withheld_and_says_so(shop: World) -> None:
    leaking = dict(stage.PLANTED[1].finding) | {
        "body": f"The key is sk-ant-rehearsal-real-key, the secret {WEBHOOK_SECRET[::-1]}.",
        "suggestion": None,
    }
    shop.model.script = Reviewer([Planted(leaking), stage.PLANTED[0]])
    await shop.say("/pool review")
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    (comment,) = shop.reviews[0].comments
    assert stage.PLANTED[0].finding["title"] in comment.body, "the others are posted"
    assert shop.reviews[0].body.startswith("🔒 This post was withheld")
    assert "a key of this server" in shop.reviews[0].body
    kept = str(shop.rows("SELECT outcome, transcript FROM tasks")) + str(
        shop.rows("SELECT result FROM steps")
    )
    posted = str([comment.body for comment in shop.own_comments()]) + str(
        [[review.body, *(each.body for each in review.comments)] for review in shop.reviews]
    )
    for secret in ("rehearsal-real-key", WEBHOOK_SECRET, WEBHOOK_SECRET[::-1]):
        assert secret not in kept
        assert secret not in posted


@pytest.mark.rotating(2)
async def test_a_failed_check_does_not_turn_green_while_its_finding_stands(shop: World) -> None:
    config = {".github/claude-pool.yml": "review:\n  fail_on: high\n"}
    shop.repository.commit("main", config, author=shop.maintainer)
    shop.model.script = Reviewer(stage.PLANTED[:1])
    await shop.say("/pool review")
    assert (await shop.reviewed()).conclusion == "failure"
    await shop.github.until(lambda: shop.reviews)
    for again in ("/pool review", "/pool review README.md"):
        await shop.say(again)
        await shop.github.until(partial(_chains_done, shop, 2 if again.endswith("review") else 3))
        await shop.written()
        assert shop.check is not None
        assert shop.check.conclusion != "success"
    # Its code is written in another way, and this time nobody states it: that says nothing of whether it is fixed.
    other = {
        name: text.replace("    query = f", "    sql = query = f")
        for name, text in stage.head_files().items()
    }
    shop.repository.commit("feature", other, message="Write it otherwise", author=shop.maintainer)
    shop.seen_heads.append(shop.pull.head_sha)
    shop.model.script = Reviewer()
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.repository.check_runs(shop.pull.head_sha))
    assert (await shop.reviewed()).conclusion == "failure"
    assert "Still open, since nobody could say whether it is fixed: 1" in shop.tracking
    assert [each.resolved_by for each in shop.reviews[0].comments] == [None]

    shop.repository.commit(
        "feature", stage.base_files(), message="Take it back", author=shop.maintainer
    )
    shop.repository.commit(
        "feature", {"shop/fine.py": "y = 2\n"}, message="Fine", author=shop.maintainer
    )
    shop.model.script = Reviewer([replace(each, verdict="fixed") for each in stage.PLANTED[:1]])
    shop.seen_heads.append(shop.pull.head_sha)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.repository.check_runs(shop.pull.head_sha))
    assert (await shop.reviewed()).conclusion == "success"


def _chains_done(here: World, count: int) -> bool:
    return here.rows("SELECT count(*) FROM chains WHERE state = 'done'") == [(count,)]


@pytest.mark.long
async def test_a_commit_message_that_nobody_can_see_does_no_harm(shop: World) -> None:
    shop.repository.commit(
        "feature", {"x.py": "x = 1\n"}, message="<!-- hidden -->", author=shop.maintainer
    )
    shop.seen_heads = [shop.pull.head_sha]
    await shop.say("/pool review")
    title = "2 findings (worst: critical) in 3 files read; 1 claim could not be settled"
    assert (await shop.reviewed()).title == title


@pytest.mark.rotating(2)
async def test_a_second_command_while_the_first_runs_pays_nothing(shop: World) -> None:
    shop.model.script = Reviewer(stage.PLANTED[1:2], pace=1.0)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.model.requests)
    await shop.say("/pool review")
    assert "The same review is already running or queued" in await shop.answered(2)
    await shop.reviewed()
    assert shop.rows("SELECT count(*) FROM chains") == [(1,)]
