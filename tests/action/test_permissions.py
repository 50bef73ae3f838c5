"""The advice after a refusal: which permission of the job's token was missing, in the words of a workflow."""

from __future__ import annotations

import pytest

from claude_pool_gh.action import permissions
from claude_pool_gh.action.permissions import Refusal
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.errors import ForgeRefused, NotFound

REPLY = Reply(number=7, body="An answer")
CHECK = CheckRun(name="claude-pool/review", head="a" * 40, status="queued", title="t", summary="s")
NOT_OURS = "Resource not accessible by integration"


@pytest.fixture
def workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "octo/shop/.github/workflows/pool.yml@refs/heads/a@b")


@pytest.mark.parametrize(
    ("header", "written"),
    [
        ("", ""),
        ("checks=write", "`checks: write`"),
        ("pull_requests=write", "`pull-requests: write`"),
        ("issues=write; pull_requests=write", "`issues: write` or `pull-requests: write`"),
        ("contents=read,issues=write", "`contents: read` and `issues: write`"),
        ("a_b=read, c=write; d=write", "`a-b: read` and `c: write` or `d: write`"),
        ("security_events", "`security-events: write`"),  # a name alone
        (" ; issues=write;, ", "`issues: write`"),
        ("contents=", "`contents: write`"),
    ],
)
def test_githubs_header_is_told_as_a_workflow_writes_it(header: str, written: str) -> None:
    assert permissions.readable(header) == written


@pytest.mark.parametrize(
    ("effect", "refusal", "permission"),
    [
        (REPLY, ForgeRefused(403, NOT_OURS), "`issues: write` or `pull-requests: write`"),
        (REPLY, ForgeRefused(401, "Bad credentials"), "`issues: write` or `pull-requests: write`"),
        (REPLY, NotFound(404, "Not Found"), "`issues: write` or `pull-requests: write`"),
        # what GitHub names itself is narrower than what we know
        (REPLY, ForgeRefused(403, NOT_OURS, "issues=write"), "`issues: write`"),
        # it became a commit status, and the header speaks of that
        (CHECK, ForgeRefused(403, NOT_OURS, "statuses=write"), "`checks: write`"),
        # no permission would have helped
        (REPLY, ForgeRefused(422, "Validation Failed"), ""),
        (REPLY, ForgeRefused(422, "Validation Failed", "issues=write"), ""),
        (REPLY, ForgeRefused(410, "Issue is locked"), ""),
        # unless the words say so under another status
        (REPLY, ForgeRefused(422, NOT_OURS), "`issues: write` or `pull-requests: write`"),
    ],
)
def test_a_refusal_names_the_permission_that_would_have_prevented_it(
    effect: Effect, refusal: ForgeRefused, permission: str
) -> None:
    found = permissions.of_effect(effect.kind, refusal)
    assert found == Refusal(effect.called, permission, str(refusal))


@pytest.mark.parametrize(
    ("refusal", "permission"),
    [
        (ForgeRefused(403, NOT_OURS), "`pull-requests: read`"),
        (ForgeRefused(403, NOT_OURS, "issues=read"), "`issues: read`"),
    ],
)
def test_of_something_read_what_github_names_comes_before_what_we_know(
    refusal: ForgeRefused, permission: str
) -> None:
    found = permissions.of_read("the pull request", "pull_requests=read", refusal)
    assert found == Refusal("the pull request", permission, str(refusal))


@pytest.mark.parametrize(
    ("refusal", "missing"),
    [
        (ForgeRefused(401, "x"), True),
        (ForgeRefused(403, "x"), True),
        (NotFound(404, "x"), True),
        (NotFound(410, "x"), True),
        (ForgeRefused(422, "x"), False),
        (ForgeRefused(409, "x"), False),
    ],
)
def test_a_refusal_can_come_from_a_token_that_lacks_a_permission(
    refusal: ForgeRefused, *, missing: bool
) -> None:
    assert permissions.is_missing(refusal) is missing


@pytest.mark.usefixtures("workflow")
def test_advice_is_the_act_githubs_words_and_the_line_to_add() -> None:
    asked = Refusal("the check", "`checks: write`", "GitHub answered 403: no.")
    assert asked.advice == (
        "GitHub refused the check: GitHub answered 403: no. "
        "Add `checks: write` to `permissions:` of this job in .github/workflows/pool.yml."
    )
    assert Refusal("the check", "", "It is locked").advice == (
        "GitHub refused the check: It is locked."
    )


@pytest.mark.parametrize("ref", ["", "octo/shop", "octo/shop@main"])
def test_a_workflow_that_the_runner_does_not_name_is_called_by_no_name(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", ref)
    assert permissions.workflow_file() == "the workflow's file"
    monkeypatch.delenv("GITHUB_WORKFLOW_REF")
    assert permissions.workflow_file() == "the workflow's file"
