"""Repositories as JSON."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.shapes.accounts import user
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.repository import Repository

Json = dict[str, Any]

# Field -> what follows the repository's own API URL.
URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def api(one: Repository) -> str:
    """The repository's own API URL."""
    return f"{one.site.api_url}/repos/{one.full_name}"


def page(one: Repository) -> str:
    """The repository's own page."""
    return f"{one.site.url}/{one.full_name}"


def minimal(one: Repository) -> Json:
    """The `minimal-repository` shape."""
    return {
        "id": one.id,
        "node_id": node_id("Repository", one.id),
        "name": one.name,
        "full_name": one.full_name,
        "private": one.private,
        "owner": user(one.site, one.owner),
        "html_url": page(one),
        "description": None,
        "fork": one.parent is not None,
        "url": api(one),
        **{field: api(one) + tail for field, tail in URLS.items()},
    }


def listed(one: Repository) -> Json:
    """The `minimal-repository` shape with what lists of repositories tell besides."""
    return {
        **minimal(one),
        "size": one.kilobytes,
        "language": one.language,
        "topics": list(one.topics),
        "default_branch": one.default_branch,
        "archived": one.archived,
        "disabled": False,
        "visibility": "private" if one.private else "public",
    }


def repository(one: Repository) -> Json:
    """The `repository` shape, as it stands in pull requests, lists and webhooks."""
    open_issues = sum(issue.closed_at is None for issue in one.threads.values())
    counts = dict.fromkeys(("stargazers_count", "watchers_count", "watchers"), 0)
    return {
        **minimal(one),
        "git_url": f"git://{one.clone_url.partition('://')[2]}",
        "ssh_url": f"git@localhost:{one.full_name}.git",
        "clone_url": one.clone_url,
        "svn_url": page(one),
        "mirror_url": None,
        "homepage": None,
        "language": one.language,
        "license": None,
        **counts,
        "size": one.kilobytes,
        "forks_count": len(one.forks),
        "forks": len(one.forks),
        "open_issues_count": open_issues,
        "open_issues": open_issues,
        "default_branch": one.default_branch,
        "is_template": False,
        "topics": list(one.topics),
        "has_issues": one.has_issues,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": False,
        "has_discussions": False,
        "archived": one.archived,
        "disabled": False,
        "visibility": "private" if one.private else "public",
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "pushed_at": iso(one.created_at),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
    }


def full(one: Repository) -> Json:
    """The `full-repository` shape."""
    more: Json = {"subscribers_count": 0, "network_count": len(one.forks)}
    if one.parent is not None:
        more |= {"parent": repository(one.parent), "source": repository(one.parent)}
    return {**repository(one), **more}
