"""Check runs and statuses as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_pool_gh.rehearsal.github.clock import iso
from claude_pool_gh.rehearsal.github.ids import node_id
from claude_pool_gh.rehearsal.github.shapes.accounts import maybe_app, user
from claude_pool_gh.rehearsal.github.shapes.issues import moment
from claude_pool_gh.rehearsal.github.shapes.pulls import mention
from claude_pool_gh.rehearsal.github.shapes.repositories import api, minimal, page
from claude_pool_gh.rehearsal.github.verdicts import CheckRun, CommitStatus

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository

Json = dict[str, Any]


def check_run(repository: Repository, one: CheckRun) -> Json:
    """The `check-run` shape."""
    url = f"{api(repository)}/check-runs/{one.id}"
    page_url = f"{page(repository)}/runs/{one.id}"
    open_here = [
        pull
        for pull in repository.pulls
        if pull.head_sha == one.head_sha and pull.closed_at is None and pull.head_repository is repository
    ]
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
        "app": maybe_app(repository.world, one.app),
        "pull_requests": [mention(pull) for pull in open_here],
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
    return {**simple_status(repository, one), "creator": user(repository.world, one.creator)}


def simple_status(repository: Repository, one: CommitStatus) -> Json:
    """The `simple-commit-status` shape."""
    return {
        "url": f"{api(repository)}/statuses/{one.sha}",
        "avatar_url": f"{repository.world.url}/avatars/{one.creator.id}",
        "id": one.id,
        "node_id": node_id("StatusContext", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
    }


def combined(repository: Repository, sha: str) -> Json:
    """The `combined-commit-status` shape: the newest status of each context, and what they come to."""
    newest: dict[str, CommitStatus] = {}
    for one in repository.statuses(sha):
        newest.setdefault(one.context, one)
    states = {one.state for one in newest.values()}
    failed = states & {"failure", "error"}
    return {
        "state": "failure" if failed else "success" if states == {"success"} else "pending",
        "statuses": [simple_status(repository, one) for one in newest.values()],
        "sha": sha,
        "total_count": len(newest),
        "repository": minimal(repository),
        "commit_url": f"{api(repository)}/commits/{sha}",
        "url": f"{api(repository)}/commits/{sha}/status",
    }
