"""The payload of a push."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.shapes import commits
from claude_pool_gh.rehearsal.github.shapes.repositories import page
from claude_pool_gh.rehearsal.github.state.git import ZERO
from claude_pool_gh.rehearsal.github.state.people import User, email
from claude_pool_gh.rehearsal.github.state.repository import Repository

Json = dict[str, Any]
MOST_COMMITS = 2_048


def push(repository: Repository, ref: str, before: str, after: str, pusher: User) -> Json:
    """The payload about one ref that moved."""
    git = repository.git
    created, deleted = before == ZERO, after == ZERO
    forced = not created and not deleted and git.merge_base(before, after) != before
    new = [] if deleted else _new(repository, before, after)
    span = f"{before[:12]}...{after[:12]}"
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": f"{page(repository)}/compare/{span}",
        "commits": new,
        "head_commit": None if deleted else _commit(repository, commits.commit(repository, after)),
        "pusher": {"name": pusher.login, "email": email(pusher)},
    }


def _new(repository: Repository, before: str, after: str) -> list[Json]:
    start = repository.git.resolve(repository.default_branch) if before == ZERO else before
    span = f"{start}..{after}" if start and start != after else after
    found = commits.log(repository, "--reverse", f"--max-count={MOST_COMMITS}", span)
    return [_commit(repository, one) for one in found]


def _commit(repository: Repository, one: Json) -> Json:
    listing = repository.git.text(
        "diff-tree", "--root", "--no-commit-id", "--name-status", "--no-renames", "-r", one["sha"]
    )
    changed = [line.split("\t", 1) for line in listing.splitlines()]

    def person(role: str) -> Json:
        inner, account = one["commit"][role], one[role]
        who = {"name": inner["name"], "email": inner["email"], "date": inner["date"]}
        return who if account is None else {**who, "username": account["login"]}

    return {
        "id": one["sha"],
        "tree_id": one["commit"]["tree"]["sha"],
        "distinct": True,
        "message": one["commit"]["message"],
        "timestamp": one["commit"]["committer"]["date"],
        "url": one["html_url"],
        "author": person("author"),
        "committer": person("committer"),
        "added": [path for status, path in changed if status == "A"],
        "removed": [path for status, path in changed if status == "D"],
        "modified": [path for status, path in changed if status not in "AD"],
    }
