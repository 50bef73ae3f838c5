"""Repositories: made, forked, renamed, transferred, archived, deleted."""

from __future__ import annotations

import dataclasses
import shutil

from claude_pool_gh.rehearsal.github.acts import pushes
from claude_pool_gh.rehearsal.github.shapes import accounts as shapes
from claude_pool_gh.rehearsal.github.state.git import Files, GitDir, GitError
from claude_pool_gh.rehearsal.github.state.people import Actor, Role, User
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.scanning import Scanning
from claude_pool_gh.rehearsal.github.state.site import Event
from claude_pool_gh.rehearsal.github.state.world import World


def create(
    world: World, owner: User, name: str, files: Files, *, private: bool = False, message: str
) -> Repository:
    """Make a repository, with a first commit on `main` unless there are no files."""
    full_name = f"{owner.login}/{name}"
    git = GitDir.create(world.directory / f"{full_name}.git")
    site = world.site
    repository = Repository(site, site.ids.next(), owner, name, git, site.now(), private)
    world.repositories[full_name.lower()] = repository
    if files:
        actor = Actor(owner, quiet=True)
        pushes.commit(repository, "main", files, message=message, actor=actor)
    return repository


def fork(world: World, repository: Repository, owner: User) -> Repository:
    """Copy a repository to another account."""
    full_name = f"{owner.login}/{repository.name}"
    if full_name.lower() in world.repositories:
        raise GitError(f"{full_name} exists")
    copy = dataclasses.replace(
        repository,
        id=world.site.ids.next(),
        owner=owner,
        git=repository.git.copy(world.directory / f"{full_name}.git"),
        created_at=world.site.now(),
        parent=repository,
        forks=[],
        roles={},
        threads={},
        labels=[],
        all_check_runs=[],
        all_statuses=[],
        deleted_issues=set(),
        moved_issues={},
        scanning=Scanning(),
        workflow_states={},
        secrets=[],
        organization_secrets=[],
        known_refs={},
        _diffs={},
    )
    copy.known_refs = copy.git.refs()
    repository.forks.append(copy)
    world.repositories[full_name.lower()] = copy
    world.site.changed()
    return copy


def grant(repository: Repository, user: User, role: Role) -> None:
    """Give a user this role; `none` takes it away."""
    repository.roles[user.id] = role
    repository.site.changed()


def rename(world: World, repository: Repository, name: str) -> None:
    """Give a repository another name; nothing is found under the old one any more."""
    before = repository.name
    _move(world, repository, repository.owner, name)
    _tell(repository, "renamed", changes={"repository": {"name": {"from": before}}})


def transfer(world: World, repository: Repository, owner: User) -> None:
    """Give a repository to another account."""
    before = repository.owner
    _move(world, repository, owner, repository.name)
    kind = "organization" if before.type == "Organization" else "user"
    shape = shapes.organization if kind == "organization" else shapes.user
    account = shape(repository.site, before)
    _tell(repository, "transferred", changes={"owner": {"from": {kind: account}}})


def archive(repository: Repository, *, on: bool) -> None:
    """Make a repository read-only, or writable again."""
    repository.archived = on
    _tell(repository, "archived" if on else "unarchived")


def delete(world: World, repository: Repository) -> None:
    """Delete a repository. Installations hear of it, and see it no longer."""
    _tell(repository, "deleted")
    repository.deleted = True
    del world.repositories[repository.full_name.lower()]
    if repository.parent is not None:
        repository.parent.forks.remove(repository)
    for installation in world.installations.values():
        installation.repositories = [
            one for one in installation.repositories if one is not repository
        ]


def _move(world: World, repository: Repository, owner: User, name: str) -> None:
    del world.repositories[repository.full_name.lower()]
    repository.owner, repository.name = owner, name
    world.repositories[repository.full_name.lower()] = repository
    place = world.directory / f"{repository.full_name}.git"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(repository.git.path, place)
    repository.git = GitDir(place)


def _tell(repository: Repository, action: str, **more: object) -> None:
    actor = Actor(repository.owner)
    repository.site.emit(Event("repository", action, actor, dict(more), repository.id))
