"""Pull requests as JSON."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.shapes.accounts import maybe_user, user
from claude_pool_gh.rehearsal.github.shapes.issues import (
    association,
    issue_page,
    issue_url,
    label,
    moment,
)
from claude_pool_gh.rehearsal.github.shapes.repositories import api, repository
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.repository import Pull, Repository

Json = dict[str, Any]


def pull_url(one: Pull) -> str:
    """The API URL of a pull request."""
    return f"{api(one.repository)}/pulls/{one.number}"


def simple(one: Pull) -> Json:
    """The `pull-request-simple` shape of lists."""
    url, page, site = pull_url(one), issue_page(one), one.repository.site
    links = _links(one)
    return {
        "url": url,
        "id": one.id,
        "node_id": node_id("PullRequest", one.id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue_url(one),
        **{f"{name}_url": links[name]["href"] for name in COPIED},
        "number": one.number,
        "state": one.state,
        "locked": one.locked,
        "title": one.title,
        "user": user(site, one.author),
        "body": one.body,
        "labels": [
            {**label(one.repository, each), "description": each.description or ""}
            for each in one.labels
        ],
        "milestone": None,
        "active_lock_reason": None,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "closed_at": moment(one.closed_at),
        "merged_at": moment(one.merged_at),
        "merge_commit_sha": one.merge_commit_sha,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _end(one.head_repository, one.head_ref, one.head_sha),
        "base": _end(one.repository, one.base_ref, one.base_sha),
        "_links": links,
        "author_association": association(one.repository, one.author),
        "auto_merge": None,
        "draft": one.draft,
    }


def pull(one: Pull) -> Json:
    """The `pull-request` shape, with what must be counted."""
    git, base = one.repository.git, one.merge_base()
    files = one.repository.diff(base, one.head_sha).files
    tip = git.resolve(one.base_ref) or one.base_sha
    fits = None if one.closed_at is not None else git.merge_tree(tip, one.head_sha) is not None
    return {
        **simple(one),
        "merged": one.merged_at is not None,
        "mergeable": fits,
        "rebaseable": fits,
        "mergeable_state": {None: "unknown", True: "clean", False: "dirty"}[fits],
        "merged_by": maybe_user(one.repository.site, one.merged_by),
        "comments": len(one.comments),
        "review_comments": len(one.review_comments),
        "maintainer_can_modify": one.head_repository is not one.repository,
        "commits": int(git.text("rev-list", "--count", f"{base}..{one.head_sha}")),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


COPIED = ("commits", "review_comments", "review_comment", "comments", "statuses")


def _links(one: Pull) -> dict[str, Json]:
    url = pull_url(one)
    links = {
        "self": url,
        "html": issue_page(one),
        "issue": issue_url(one),
        "comments": f"{issue_url(one)}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api(one.repository)}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{api(one.repository)}/statuses/{one.head_sha}",
    }
    return {name: {"href": href} for name, href in links.items()}


def _end(source: Repository, ref: str, sha: str) -> Json:
    return {
        "label": f"{source.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(source.site, source.owner),
        "repo": None if source.deleted else repository(source),
    }


def mention(one: Pull) -> Json:
    """The few words about a pull request that stand in a check run."""

    def end(source: Repository, ref: str, sha: str) -> Json:
        return {
            "ref": ref,
            "sha": sha,
            "repo": {"id": source.id, "url": api(source), "name": source.name},
        }

    return {
        "id": one.id,
        "number": one.number,
        "url": pull_url(one),
        "head": end(one.head_repository, one.head_ref, one.head_sha),
        "base": end(one.repository, one.base_ref, one.base_sha),
    }
