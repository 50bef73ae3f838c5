"""GraphQL's view of a thread, of a pull request, and of the files of a commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from claude_pool_gh.rehearsal.github.routes.contents import Entry, entries, find
from claude_pool_gh.rehearsal.github.state.people import User
from claude_pool_gh.rehearsal.github.state.repository import Issue, Pull, Repository

Json = dict[str, Any]
Given = Mapping[str, Any]
TRUNCATED_BYTES = 512 * 1024
"""GitHub cuts the text of a blob somewhere; where, it does not document."""
TYPES = {"dir": "tree", "submodule": "commit"}


def shown(repository: Repository, given: Given, thread: Issue) -> Json:
    """A repository's default branch with its configuration, and one of its threads."""
    commit = repository.git.resolve(repository.default_branch)
    return {
        "databaseId": repository.id,
        "defaultBranchRef": None
        if commit is None
        else _branch(repository, commit, str(given["config"])),
        "issueOrPullRequest": _thread(thread),
    }


def folder(repository: Repository, given: Given) -> Json:
    """A folder of a commit, three levels of it, with the text of every file."""
    commit = repository.git.resolve(str(given["commit"]))
    if commit is None:
        return {"object": None}

    def tree(sha: str, levels: int) -> Json:
        return _tree(repository, sha, lambda entry: below(entry, levels - 1))

    def below(entry: Entry, levels: int) -> Json:
        if entry.kind == "dir":
            return tree(entry.sha, levels) if levels else {"__typename": "Tree"}
        return _blob(repository, entry)

    found = find(repository, commit, str(given["path"]))
    file = None
    if found is not None:
        file = {"object": tree(found.sha, 3) if found.kind == "dir" else {"__typename": "Blob"}}
    return {"object": {"__typename": "Commit", "file": file}}


def _branch(repository: Repository, commit: str, config: str) -> Json:
    github, file = find(repository, commit, ".github"), find(repository, commit, config)
    above = None
    if github is not None:
        shown_folder = github.kind == "dir"
        above = {
            "object": _tree(repository, github.sha) if shown_folder else {"__typename": "Blob"}
        }
    target = {
        "__typename": "Commit",
        "oid": commit,
        "tree": {"entries": _tree(repository, f"{commit}^{{tree}}")["entries"]},
        "github": above,
        "config": None
        if file is None
        else {"mode": _mode(file), "object": _object(repository, file)},
    }
    return {"name": repository.default_branch, "target": target}


def _tree(repository: Repository, sha: str, below: Callable[[Entry], Json] | None = None) -> Json:
    listed = []
    for entry in entries(repository, sha):
        line: Json = {
            "name": entry.path,
            "type": TYPES.get(entry.kind, "blob"),
            "mode": _mode(entry),
        }
        if below is not None:
            line["object"] = None if entry.kind == "submodule" else below(entry)
        listed.append(line)
    return {"__typename": "Tree", "entries": listed}


def _mode(entry: Entry) -> int:
    return int(entry.mode, 8)


def _object(repository: Repository, entry: Entry) -> Json:
    return {"__typename": "Tree"} if entry.kind == "dir" else _blob(repository, entry)


def _blob(repository: Repository, entry: Entry) -> Json:
    data = repository.git.run("cat-file", "blob", entry.sha)
    binary = b"\0" in data[:8000]
    text = None if binary else data[:TRUNCATED_BYTES].decode(errors="replace")
    return {
        "__typename": "Blob",
        "oid": entry.sha,
        "byteSize": len(data),
        "isBinary": binary,
        "isTruncated": len(data) > TRUNCATED_BYTES,
        "text": text,
    }


def _thread(thread: Issue) -> Json:
    common: Json = {
        "__typename": "PullRequest" if isinstance(thread, Pull) else "Issue",
        "number": thread.number,
        "title": thread.title,
        "body": thread.body,
        "closed": thread.closed_at is not None,
        "locked": thread.locked,
        "labels": {"nodes": [{"name": label.name} for label in thread.labels[:100]]},
        "author": _author(thread.author),
    }
    if not isinstance(thread, Pull):
        return common
    fork = None if thread.head_repository.deleted else {"databaseId": thread.head_repository.id}
    return common | {
        "isDraft": thread.draft,
        "headRefName": thread.head_ref,
        "headRefOid": thread.head_sha,
        "headRepository": fork,
        "baseRefName": thread.base_ref,
        "baseRefOid": thread.base_sha,
    }


def _author(user: User) -> Json:
    """An account; GraphQL names bots without what marks them in REST."""
    return {
        "__typename": user.type,
        "login": user.login.removesuffix("[bot]"),
        "databaseId": user.id,
    }
