"""Issues, comments, labels and reactions as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from claude_pool_gh.rehearsal.github.shapes.accounts import maybe_app, maybe_user, user
from claude_pool_gh.rehearsal.github.shapes.repositories import api, page
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.people import User
from claude_pool_gh.rehearsal.github.state.repository import Comment, Issue, Pull, Repository
from claude_pool_gh.rehearsal.github.state.site import Site
from claude_pool_gh.rehearsal.github.state.texts import REACTIONS, Label, Reaction, Written

Json = dict[str, Any]


def moment(at: float | None) -> str | None:
    """A time where there may be none."""
    return None if at is None else iso(at)


def association(repository: Repository, author: User) -> str:
    """GitHub's word for the author's relation to the repository."""
    if author.id == repository.owner.id:
        return "OWNER"
    if repository.roles.get(author.id, "none") != "none":
        return "COLLABORATOR"
    merged = any(pull.merged_at is not None and pull.author is author for pull in repository.pulls)
    return "CONTRIBUTOR" if merged else "NONE"


def rollup(written: Written, url: str) -> Json:
    """The count of each reaction."""
    counts = {
        content: sum(one.content == content for one in written.reactions) for content in REACTIONS
    }
    return {"url": f"{url}/reactions", "total_count": len(written.reactions), **counts}


def reaction(site: Site, one: Reaction) -> Json:
    """The `reaction` shape."""
    return {
        "id": one.id,
        "node_id": node_id("Reaction", one.id),
        "user": user(site, one.user),
        "content": one.content,
        "created_at": iso(one.created_at),
    }


def label(repository: Repository, one: Label) -> Json:
    """The `label` shape."""
    return {
        "id": one.id,
        "node_id": node_id("Label", one.id),
        "url": f"{api(repository)}/labels/{quote(one.name, safe='')}",
        "name": one.name,
        "description": one.description,
        "color": one.color,
        "default": one.default,
    }


def issue_url(one: Issue) -> str:
    """The API URL of the issue half."""
    return f"{api(one.repository)}/issues/{one.number}"


def issue_page(one: Issue) -> str:
    """The page of a thread."""
    return f"{page(one.repository)}/{'pull' if isinstance(one, Pull) else 'issues'}/{one.number}"


def issue(one: Issue) -> Json:
    """The `issue` shape; that of a pull request carries the `pull_request` key."""
    site, url = one.repository.site, issue_url(one)
    shape: Json = {
        "url": url,
        "repository_url": api(one.repository),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": issue_page(one),
        "id": one.key,
        "node_id": node_id("Issue", one.key),
        "number": one.number,
        "title": one.title,
        "user": user(site, one.author),
        "labels": [label(one.repository, each) for each in one.labels],
        "state": one.state,
        "state_reason": "completed"
        if one.closed_at is not None and not isinstance(one, Pull)
        else None,
        "locked": one.locked,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(one.comments),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "closed_at": moment(one.closed_at),
        "closed_by": maybe_user(site, one.closed_by),
        "author_association": association(one.repository, one.author),
        "active_lock_reason": None,
        "body": one.body,
        "reactions": rollup(one, url),
        "performed_via_github_app": maybe_app(site, one.via),
    }
    if isinstance(one, Pull):
        shape["draft"] = one.draft
        shape["pull_request"] = {
            "url": f"{api(one.repository)}/pulls/{one.number}",
            "html_url": issue_page(one),
            "diff_url": f"{issue_page(one)}.diff",
            "patch_url": f"{issue_page(one)}.patch",
            "merged_at": moment(one.merged_at),
        }
    return shape


def comment(one: Comment) -> Json:
    """The `issue-comment` shape."""
    repository = one.issue.repository
    url = f"{api(repository)}/issues/comments/{one.id}"
    return {
        "url": url,
        "html_url": f"{issue_page(one.issue)}#issuecomment-{one.id}",
        "issue_url": issue_url(one.issue),
        "id": one.id,
        "node_id": node_id("IssueComment", one.id),
        "user": user(repository.site, one.author),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "author_association": association(repository, one.author),
        "body": one.body,
        "reactions": rollup(one, url),
        "performed_via_github_app": maybe_app(repository.site, one.via),
    }
