"""Commits, forks and what follows when a branch moves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from claude_pool_gh.rehearsal.github.acts import pulls
from claude_pool_gh.rehearsal.github.git import ZERO, Files, GitError, Signature
from claude_pool_gh.rehearsal.github.people import Actor, User, email
from claude_pool_gh.rehearsal.github.shapes import pushes as shapes
from claude_pool_gh.rehearsal.github.world import Event

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository

HEADS = "refs/heads/"


def commit(
    repository: Repository, branch: str, files: Files, *, message: str, actor: Actor, onto: str | None = None
) -> str:
    """Make one commit on a branch and let it be a push."""
    before = repository.known_refs
    parent = onto or before.get(HEADS + branch) or before.get(HEADS + repository.default_branch)
    who = Signature(actor.user.login, email(actor.user), repository.world.now())
    sha = repository.git.commit(branch, files, parent=parent, message=message, author=who, committer=who)
    moved(repository, actor)
    return sha


def moved(repository: Repository, actor: Actor) -> None:
    """Send what follows from the refs being other than last known: pushes, and pull requests that move."""
    before, after = repository.known_refs, repository.git.refs()
    repository.known_refs = after
    for ref in sorted(before.keys() | after.keys()):
        if ref.startswith("refs/pull/") or before.get(ref) == after.get(ref):
            continue
        old, new = before.get(ref, ZERO), after.get(ref, ZERO)
        payload = shapes.push(repository, ref, old, new, actor.user)
        repository.world.emit(Event("push", None, actor, payload, repository))
        if ref.startswith(HEADS):
            _follow(repository, ref.removeprefix(HEADS), new, actor)


def _follow(repository: Repository, branch: str, sha: str, actor: Actor) -> None:
    root = repository.parent or repository
    for pull in root.pulls:
        if pull.closed_at is not None or pull.head_ref != branch or pull.head_repository is not repository:
            continue
        if sha == ZERO:
            root.close(pull, actor)
        else:
            pulls.synchronize(pull, sha, actor)


def fork(repository: Repository, owner: User) -> Repository:
    """Copy a repository to another account."""
    world = repository.world
    full_name = f"{owner.login}/{repository.name}"
    if full_name.lower() in world.repositories:
        raise GitError(f"{full_name} exists")
    copy = dataclasses.replace(
        repository,
        id=world.ids.next(),
        owner=owner,
        git=repository.git.copy(world.directory / f"{full_name}.git"),
        created_at=world.now(),
        parent=repository,
        forks=[],
        roles={},
        threads={},
        labels=[],
        all_check_runs=[],
        all_statuses=[],
        secrets=[],
        organization_secrets=[],
        known_refs={},
        _diffs={},
    )
    copy.known_refs = copy.git.refs()
    repository.forks.append(copy)
    world.repositories[full_name.lower()] = copy
    world.changed()
    return copy
