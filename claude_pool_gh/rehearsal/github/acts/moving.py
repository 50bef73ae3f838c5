"""Repositories that are renamed, transferred, archived, deleted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from claude_pool_gh.rehearsal.github.git import GitDir
from claude_pool_gh.rehearsal.github.people import Actor, User
from claude_pool_gh.rehearsal.github.shapes.accounts import user
from claude_pool_gh.rehearsal.github.world import Event

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository


def rename(repository: Repository, name: str) -> None:
    """Give a repository another name; nothing is found under the old one any more."""
    before = repository.name
    _move(repository, repository.owner, name)
    _tell(repository, "renamed", changes={"repository": {"name": {"from": before}}})


def transfer(repository: Repository, owner: User) -> None:
    """Give a repository to another account."""
    before = repository.owner
    _move(repository, owner, repository.name)
    kind = "organization" if before.type == "Organization" else "user"
    account = user(repository.world, before)
    if kind == "organization":
        from claude_pool_gh.rehearsal.github.deliveries import organization  # noqa: PLC0415 - it imports shapes too

        account = organization(repository.world, before.login, before.id)
    _tell(repository, "transferred", changes={"owner": {"from": {kind: account}}})


def archive(repository: Repository, *, on: bool) -> None:
    """Make a repository read-only, or writable again."""
    repository.archived = on
    _tell(repository, "archived" if on else "unarchived")


def delete(repository: Repository) -> None:
    """Delete a repository. Installations hear of it, and see it no longer."""
    world = repository.world
    _tell(repository, "deleted")
    repository.deleted = True
    del world.repositories[repository.full_name.lower()]
    if repository.parent is not None:
        repository.parent.forks.remove(repository)
    for installation in world.installations.values():
        installation.repositories = [one for one in installation.repositories if one is not repository]


def _move(repository: Repository, owner: User, name: str) -> None:
    world = repository.world
    del world.repositories[repository.full_name.lower()]
    repository.owner, repository.name = owner, name
    world.repositories[repository.full_name.lower()] = repository
    place = world.directory / f"{repository.full_name}.git"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(repository.git.path, place)
    repository.git = GitDir(place)


def _tell(repository: Repository, action: str, **more: object) -> None:
    actor = Actor(repository.owner)
    repository.world.emit(Event("repository", action, actor, dict(more), repository))
