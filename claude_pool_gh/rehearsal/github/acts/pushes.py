"""Commits, and what follows when a branch moves."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import issues, pulls
from claude_pool_gh.rehearsal.github.shapes import pushes as shapes
from claude_pool_gh.rehearsal.github.state.git import ZERO, Files, Signature
from claude_pool_gh.rehearsal.github.state.people import Actor, email
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.site import Event

HEADS = "refs/heads/"


def commit(
    repository: Repository,
    branch: str,
    files: Files,
    *,
    message: str,
    actor: Actor,
    onto: str | None = None,
) -> str:
    """Make one commit on a branch and let it be a push."""
    before = repository.known_refs
    parent = onto or before.get(HEADS + branch) or before.get(HEADS + repository.default_branch)
    who = Signature(actor.user.login, email(actor.user), repository.site.now())
    sha = repository.git.commit(
        branch, files, parent=parent, message=message, author=who, committer=who
    )
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
        repository.site.emit(Event("push", None, actor, payload, repository.id))
        if ref.startswith(HEADS):
            _follow(repository, ref.removeprefix(HEADS), new, actor)


def _follow(repository: Repository, branch: str, sha: str, actor: Actor) -> None:
    root = repository.parent or repository
    for pull in root.pulls:
        if (
            pull.closed_at is not None
            or pull.head_ref != branch
            or pull.head_repository is not repository
        ):
            continue
        if sha == ZERO:
            issues.close(pull, actor)
        else:
            pulls.synchronize(pull, sha, actor)
