"""Check runs and statuses as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_pool_gh.rehearsal.github.shapes import commits
from claude_pool_gh.rehearsal.github.shapes.accounts import maybe_app, user
from claude_pool_gh.rehearsal.github.shapes.issues import moment
from claude_pool_gh.rehearsal.github.shapes.pulls import mention
from claude_pool_gh.rehearsal.github.shapes.repositories import api, minimal, page
from claude_pool_gh.rehearsal.github.state.checks import CheckRun, CommitStatus
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.repository import Pull, Repository

Json = dict[str, Any]


def check_run(repository: Repository, one: CheckRun) -> Json:
    """The `check-run` shape."""
    url = f"{api(repository)}/check-runs/{one.id}"
    page_url = f"{page(repository)}/runs/{one.id}"
    return {
        "id": one.id,
        "head_sha": one.head_sha,
        "node_id": node_id("CheckRun", one.id),
        "external_id": one.external_id,
        "url": url,
        "html_url": page_url,
        "details_url": one.details_url or page_url,
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": moment(one.started_at),
        "completed_at": moment(one.completed_at),
        "output": {
            "title": one.title,
            "summary": one.summary,
            "text": one.text,
            "annotations_count": len(one.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "name": one.name,
        "check_suite": {"id": one.suite_id},
        "app": maybe_app(repository.site, one.app),
        "pull_requests": [mention(pull) for pull in _open_at(repository, one.head_sha)],
    }


def _open_at(repository: Repository, sha: str) -> list[Pull]:
    """The open pull requests of a commit; those of forks are not told."""
    return [
        pull
        for pull in repository.pulls
        if pull.head_sha == sha and pull.closed_at is None and pull.head_repository is repository
    ]


def check_suite(repository: Repository, run: CheckRun) -> Json:
    """The suite of a check run, as in a `check_suite` event."""
    own = [
        one
        for one in repository.all_check_runs
        if (one.app, one.head_sha) == (run.app, run.head_sha)
    ]
    times = [time for one in own for time in (one.started_at, one.completed_at) if time is not None]
    pulls = _open_at(repository, run.head_sha)
    url = f"{api(repository)}/check-suites/{run.suite_id}"
    return {
        "id": run.suite_id,
        "node_id": node_id("CheckSuite", run.suite_id),
        "head_branch": pulls[0].head_ref if pulls else None,
        "head_sha": run.head_sha,
        "status": "queued",
        "conclusion": None,
        "url": url,
        "before": None,
        "after": run.head_sha,
        "pull_requests": [mention(pull) for pull in pulls],
        "app": maybe_app(repository.site, run.app),
        "created_at": iso(min(times)),
        "updated_at": iso(max(times)),
        "rerequestable": True,
        "runs_rerequestable": True,
        "latest_check_runs_count": len({one.name for one in own}),
        "check_runs_url": f"{url}/check-runs",
        "head_commit": _simple_commit(repository, run.head_sha),
    }


def _simple_commit(repository: Repository, sha: str) -> Json:
    one = commits.commit(repository, sha)["commit"]
    people = {
        role: {"name": one[role]["name"], "email": one[role]["email"]}
        for role in ("author", "committer")
    }
    when = one["committer"]["date"]
    return {
        "id": sha,
        "tree_id": one["tree"]["sha"],
        "message": one["message"],
        "timestamp": when,
        **people,
    }


def annotation(repository: Repository, run: CheckRun, one: Json) -> Json:
    """The `check-annotation` shape."""
    optional = ("start_column", "end_column", "title", "raw_details")
    return {
        "path": one["path"],
        "blob_href": f"{page(repository)}/blob/{run.head_sha}/{one['path']}",
        "start_line": one["start_line"],
        "end_line": one["end_line"],
        "annotation_level": one["annotation_level"],
        "message": one["message"],
        **{name: one.get(name) for name in optional},
    }


def status(repository: Repository, one: CommitStatus) -> Json:
    """The `status` shape."""
    return {**simple_status(repository, one), "creator": user(repository.site, one.creator)}


def simple_status(repository: Repository, one: CommitStatus) -> Json:
    """The `simple-commit-status` shape."""
    return {
        "url": f"{api(repository)}/statuses/{one.sha}",
        "avatar_url": f"{repository.site.url}/avatars/{one.creator.id}",
        "id": one.id,
        "node_id": node_id("StatusContext", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
    }


def newest(repository: Repository, sha: str) -> list[CommitStatus]:
    """The newest status of each context of a commit."""
    found: dict[str, CommitStatus] = {}
    for one in repository.statuses(sha):
        found.setdefault(one.context, one)
    return list(found.values())


def combined(repository: Repository, sha: str, newest: Sequence[CommitStatus]) -> Json:
    """The `combined-commit-status` shape without its list: what these statuses come to."""
    states = {one.state for one in newest}
    failed = states & {"failure", "error"}
    return {
        "state": "failure" if failed else "success" if states == {"success"} else "pending",
        "sha": sha,
        "repository": minimal(repository),
        "commit_url": f"{api(repository)}/commits/{sha}",
        "url": f"{api(repository)}/commits/{sha}/status",
    }
