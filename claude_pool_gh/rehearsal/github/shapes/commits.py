"""Commits, changed files, comparisons and branches as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from claude_pool_gh.rehearsal.github.shapes.accounts import maybe_user
from claude_pool_gh.rehearsal.github.shapes.repositories import api, page
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.diffs import FileDiff
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.people import User, email
from claude_pool_gh.rehearsal.github.state.repository import Repository

Json = dict[str, Any]
FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x00%x01"


def log(repository: Repository, *arguments: str) -> list[Json]:
    """The commits that `git log` lists, as `commit` shapes."""
    text = repository.git.run("log", f"--format={FORMAT}", *arguments).decode(errors="replace")
    return [
        _commit(repository, entry.lstrip("\n").split("\0")) for entry in text.split("\x01")[:-1]
    ]


def commit(repository: Repository, sha: str) -> Json:
    """One commit."""
    return log(repository, "-1", sha)[0]


def _commit(repository: Repository, fields: list[str]) -> Json:
    (
        sha,
        tree,
        parents,
        author,
        author_email,
        authored,
        committer,
        committer_email,
        committed,
        message,
        _,
    ) = fields
    site, url = repository.site, f"{api(repository)}/commits/{sha}"
    return {
        "url": url,
        "sha": sha,
        "node_id": node_id("Commit", int(sha[:12], 16)),
        "html_url": f"{page(repository)}/commit/{sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": f"{api(repository)}/git/commits/{sha}",
            "author": {"name": author, "email": author_email, "date": iso(int(authored))},
            "committer": {"name": committer, "email": committer_email, "date": iso(int(committed))},
            "message": message.rstrip("\n"),
            "tree": {"url": f"{api(repository)}/git/trees/{tree}", "sha": tree},
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        },
        "author": maybe_user(site, _account(repository, author_email)),
        "committer": maybe_user(site, _account(repository, committer_email)),
        "parents": [
            {
                "sha": parent,
                "url": f"{api(repository)}/commits/{parent}",
                "html_url": f"{page(repository)}/commit/{parent}",
            }
            for parent in parents.split()
        ],
    }


def _account(repository: Repository, address: str) -> User | None:
    return next((one for one in repository.site.users.values() if email(one) == address), None)


def file(repository: Repository, one: FileDiff, sha: str) -> Json:
    """The `diff-entry` shape."""
    path = quote(one.path)
    shape: Json = {
        "sha": one.blob,
        "filename": one.path,
        "status": one.status,
        "additions": one.additions,
        "deletions": one.deletions,
        "changes": one.additions + one.deletions,
        "blob_url": f"{page(repository)}/blob/{sha}/{path}",
        "raw_url": f"{page(repository)}/raw/{sha}/{path}",
        "contents_url": f"{api(repository)}/contents/{path}?ref={sha}",
    }
    if one.patch is not None:
        shape["patch"] = one.patch
    if one.previous is not None:
        shape["previous_filename"] = one.previous
    return shape


def branch(repository: Repository, name: str, sha: str) -> Json:
    """The `short-branch` shape."""
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{api(repository)}/commits/{sha}"},
        "protected": False,
        "protection": {"enabled": False, "required_status_checks": {"contexts": [], "checks": []}},
        "protection_url": f"{api(repository)}/branches/{quote(name)}/protection",
    }


def full_branch(repository: Repository, name: str, sha: str) -> Json:
    """The `branch-with-protection` shape."""
    return {
        **branch(repository, name, sha),
        "commit": commit(repository, sha),
        "_links": {
            "self": f"{api(repository)}/branches/{quote(name)}",
            "html": f"{page(repository)}/tree/{quote(name)}",
        },
    }
