"""Pull requests, their files and commits."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import issues, pulls
from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import commits as commit_shapes
from claude_pool_gh.rehearsal.github.shapes import pulls as shapes
from claude_pool_gh.rehearsal.github.state.diffs import Diff
from claude_pool_gh.rehearsal.github.state.repository import Pull

READ, WRITE = "pull_requests:read", "pull_requests:write"
DIFF_TYPE = "application/vnd.github.diff; charset=utf-8"


def list_pulls(call: Call) -> Answer:
    """Pull requests, newest first."""
    state, head, base = (
        call.query.get("state", "open"),
        call.query.get("head"),
        call.query.get("base"),
    )

    def wanted(one: Pull) -> bool:
        label = f"{one.head_repository.owner.login}:{one.head_ref}"
        return (
            state in ("all", one.state) and head in (None, label) and base in (None, one.base_ref)
        )

    found = [one for one in call.repository.pulls if wanted(one)]
    by_update = call.query.get("sort") == "updated"
    found.sort(
        key=lambda one: (one.updated_at if by_update else 0, one.number),
        reverse=call.query.get("direction") != "asc",
    )
    return paged(call, found, shapes.simple)


def create_pull(call: Call) -> Answer:
    """Open one."""
    body = call.body
    source, head = pulls.source_of(call.repository, call.text("head", "PullRequest"))
    pull = pulls.open_pull(
        call.repository,
        call.actor,
        source=source,
        head=head,
        base=call.text("base", "PullRequest"),
        title=call.text("title", "PullRequest"),
        body=body.get("body") or "",
        draft=bool(body.get("draft")),
    )
    return Answer(201, shapes.pull(pull))


def edit_pull(call: Call) -> Answer:
    """Change text or state."""
    pull, body = call.pull, call.body
    issues.edit(pull, call.actor, title=body.get("title"), body=body.get("body"))
    if body.get("state") == "closed":
        issues.close(pull, call.actor)
    elif body.get("state") == "open":
        issues.reopen(pull, call.actor)
    return Answer(json=shapes.pull(pull))


def get_pull(call: Call) -> Answer:
    """One pull request, as JSON or as a diff."""
    if not call.accepts("diff"):
        return Answer(json=shapes.pull(call.pull))
    return diff_answer(call, call.pull.diff(), "PullRequest")


def diff_answer(call: Call, found: Diff, resource: str) -> Answer:
    """A diff as text, unless it is too large for GitHub to make."""
    raw, limits = found.text.encode(), call.site.limits
    too_much = None
    if len(raw) > limits.diff_bytes:
        too_much = "the diff exceeded the maximum number of bytes"
    elif len(found.files) > limits.diff_files:
        too_much = f"the diff exceeded the maximum number of files ({limits.diff_files})"
    if too_much is not None:
        error = {"resource": resource, "field": "diff", "code": "too_large"}
        raise RefusedError(
            406,
            f"Sorry, {too_much}. Consider using 'List pull requests files' API.",
            errors=[error],
        )
    return Answer(raw=raw, content_type=DIFF_TYPE)


def list_files(call: Call) -> Answer:
    """The changed files."""
    files = call.pull.diff().files[: call.site.limits.pull_files]
    return paged(
        call, files, lambda one: commit_shapes.file(call.repository, one, call.pull.head_sha)
    )


def list_commits(call: Call) -> Answer:
    """The commits, oldest first."""
    pull = call.pull
    span = f"{pull.merge_base()}..{pull.head_sha}"
    found = commit_shapes.log(call.repository, "--reverse", span)[: call.site.limits.pull_commits]
    return paged(call, found, lambda one: one)


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/pulls", list_pulls, READ),
    Route("POST", "/repos/{owner}/{repo}/pulls", create_pull, WRITE),
    Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", get_pull, READ),
    Route("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}", edit_pull, WRITE),
    Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", list_files, READ),
    Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", list_commits, READ),
)
