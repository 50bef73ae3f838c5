"""What is shown of a change: how far it is on its way, who must still approve it, and what it holds."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.changes import change_report
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.gates import Policy
from claude_pool_gh.github import thread_rows
from claude_pool_gh.github.access import ACTIONS_BOT
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.tables import effects
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.reports.views import ChangeReport, ChangeStatus
from claude_pool_gh.terms.markdown import SafeMarkdown
from tests.conversation.simulated.kit import PATCH, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


def report(desk: Desk, chain_id: str) -> ChangeReport | None:
    chain = desk.row(chain_id)
    return desk.do(lambda tx: change_report.report(tx, chain))


def told(desk: Desk, facts: ChangeFacts, patch: bytes = PATCH, **result: Any) -> ChangeReport:
    """The report on a patch that waits."""
    chain_id, _ = desk.shown(facts, patch, **result)
    found = report(desk, chain_id)
    assert found is not None
    return found


def let_out(desk: Desk, chain_id: str, state: str, **row: Any) -> None:
    """What is wanted on GitHub of an approved change, and what became of that."""
    key = f"change:{chain_id}"
    reply = Reply(number=1, body=SafeMarkdown("x"))
    desk.do(lambda tx: want(tx, key, desk.repository, reply, desk.clock.now))
    own = effects.update().where(effects.c.key == key)
    desk.do(lambda tx: tx.execute(own.values(state=state, **row)))


# ---- how far it is


async def test_before_it_is_shown_there_is_none(desk: Desk) -> None:
    assert report(desk, desk.chain(desk.facts(desk.topic()))) is None


async def test_a_patch_that_waits_is_shown_whole(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull, policy=Policy(protected=("app.py",)))
    found = told(desk, facts, prose={"title": "Mend", "body": "So."}, checks="**not checked**")
    assert (found.fate, found.refused, found.pull) == (ChangeStatus.waiting, "", None)
    assert (found.branch, found.parent, found.opens_pull) == ("topic", pull.head_sha, False)
    assert ([file.path for file in found.files], found.protected) == (["app.py"], ("app.py",))
    assert (found.title, found.prose, found.checks) == ("Mend", "So.", "**not checked**")
    assert found.patch == PATCH.decode()
    assert (found.rejections, found.most_rejections) == (0, 3)
    assert (found.by_job, found.suspects) == (False, ())


@pytest.mark.parametrize(
    ("state", "into", "fate"),
    [
        (None, "", ChangeStatus.writing),
        ("wanted", "", ChangeStatus.writing),
        ("written", "", ChangeStatus.pushed),
        ("written", "main", ChangeStatus.proposed),
        ("refused", "", ChangeStatus.refused),
        ("gone", "", ChangeStatus.refused),
    ],
)
async def test_an_approved_change_is_as_far_as_its_effect(
    desk: Desk, state: str | None, into: str, fate: ChangeStatus
) -> None:
    chain_id, _ = desk.shown(desk.facts(desk.topic(), into=into))
    if state is not None:
        let_out(desk, chain_id, state, remote_id=12, error="no")
    waiting = report(desk, chain_id)
    assert waiting is not None
    assert waiting.fate is ChangeStatus.waiting, "as long as people decide"
    found = report(desk, desk.end(chain_id, Verdict.answered))
    assert found is not None
    assert (found.fate, found.opens_pull) == (fate, bool(into))
    assert found.pull == (12 if fate is ChangeStatus.proposed else None)
    assert found.refused == ("" if state is None else "no")


async def test_what_the_step_says_itself_goes_before_the_effect(desk: Desk) -> None:
    found = told(desk, desk.facts(desk.topic()), fate="patch_only")
    assert found.fate is ChangeStatus.patch_only


async def test_the_commit_that_goes_out_is_told_once_it_was_approved(desk: Desk) -> None:
    facts = desk.facts(desk.topic())
    assert told(desk, facts, change={"commit": "d" * 40}).commit == ""
    assert told(desk, facts, change={"commit": "d" * 40}, let_out=True).commit == "d" * 40


# ---- who must approve


@pytest.mark.parametrize(
    ("policy", "path", "owners", "needed"),
    [
        (Policy(), "app.py", "", ""),
        (
            Policy(approvals=2),
            "app.py",
            "",
            "2 more people must approve: `changes.approvals` is 2.",
        ),
        (Policy(), "AGENTS.md", "", "2 more people must approve: protected paths need 2 people"),
        (Policy(four_eyes=True), "app.py", "", "1 more person must approve: `changes.approvals`"),
        (Policy(codeowners=True), "app.py", "* @rita", "1 more person must approve"),
        (Policy(codeowners=True), "app.py", "* @rita", "A code owner of `app.py` must be among"),
    ],
    ids=["anybody", "two", "protected", "four eyes", "owners", "an owner"],
)
async def test_who_is_needed_is_said_where_one_word_of_anybody_is_not_enough(
    desk: Desk, policy: Policy, path: str, owners: str, needed: str
) -> None:
    facts = desk.facts(desk.topic(), policy=policy, codeowners=owners)
    found = told(desk, facts, PATCH.replace(b"app.py", path.encode()))
    assert (found.still_needed == "") if not needed else (needed in found.still_needed)


async def test_an_approval_is_shown_with_what_is_missing_beside_it(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull, policy=Policy(approvals=2)))
    await desk.say(f"/pool approve {gate}", at=pull)
    found = report(desk, chain_id)
    assert found is not None
    assert found.approved_by == ("mona",)
    assert found.still_needed.startswith("1 more person must approve")


# ---- whether it can still be approved


@pytest.mark.parametrize(
    ("in_issue", "known", "why"),
    [
        (False, {}, ""),
        (False, {"head": "", "base": ""}, ""),
        (False, {"base": "main"}, ""),
        (False, {"base": "release"}, "the pull request goes into release now, not into main"),
        (False, {"head": "e" * 40, "base": "release"}, "the head has moved to eeeeeeeee"),
        (True, {"head": "e" * 40, "base": "release", "is_open": False}, ""),
    ],
    ids=["nothing known", "nothing told", "as it was", "retargeted", "moved", "an issue"],
)
async def test_what_events_tell_of_the_thread_makes_a_patch_stale(
    desk: Desk, in_issue: bool, known: dict[str, Any], why: str
) -> None:
    facts = desk.facts(desk.problem() if in_issue else desk.topic())
    if known:
        desk.do(lambda tx: thread_rows.note(tx, facts.key, **known))
    assert desk.do(lambda tx: change_report.moved_on(tx, facts)) == why
    assert told(desk, facts).stale == why


# ---- what it holds


@pytest.mark.parametrize(
    ("more", "fate", "is_shown"), [(0, None, True), (1, None, False), (1, "patch_only", True)]
)
async def test_a_long_patch_is_shown_only_where_it_is_all_that_there_is(
    desk: Desk, more: int, fate: str | None, is_shown: bool
) -> None:
    patch = PATCH + b" " * (19_999 - len(PATCH) + more)
    result = {} if fate is None else {"fate": fate}
    assert bool(told(desk, desk.facts(desk.topic()), patch, **result).patch) is is_shown


async def test_a_push_with_a_jobs_own_token_is_said_to_be_one(desk: Desk) -> None:
    facts = desk.facts(desk.topic())
    assert told(desk, facts, change={"author_name": ACTIONS_BOT}).by_job
    assert not told(desk, facts, change={"author_name": "claude-pool[bot]"}).by_job


async def test_a_random_token_is_named(desk: Desk) -> None:
    token = b"q7Zt2mXv9LkR4sWp8BnC6yHd3FgJ5aQe"
    patch = PATCH.replace(b"+b\n", b'+key = "' + token + b'"\n')
    (found,) = told(desk, desk.facts(desk.topic()), patch).suspects
    assert (found.path, found.line, found.begins) == ("app.py", 1, "q7Zt")


async def test_where_nothing_was_changed_nothing_is_shown(desk: Desk) -> None:
    found = told(desk, desk.facts(desk.topic()))
    assert found.files != ()
    questions = change_report.open_questions(desk.facts(desk.topic()), ["Which one?"])
    assert (questions.fate, questions.files) == (ChangeStatus.nothing, ())
    assert questions.questions == ("Which one?",)
