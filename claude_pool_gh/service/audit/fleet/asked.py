"""The question that a run over a fleet answers: which repositories of which GitHub, and which paths of them.

A run that goes on has the repositories that it began with. So a command that asks for others must not go on with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

from claude_pool_gh.service.audit.fleet.options import (
    FleetOptions,
    Installations,
    Named,
    Organization,
)


class Asked(BaseModel):
    """Everything on a command line that decides what is read. Two that are equal may share a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    github: str
    """The address of the GitHub that has them."""
    source: str
    """The kind of source, and which one: without the file's name, since its lines are what counts."""
    repositories: tuple[str, ...]
    """Those that a file names, in order of the alphabet."""
    topics: tuple[str, ...]
    languages: tuple[str, ...]
    archived: bool
    most_megabytes: int
    only: tuple[str, ...]

    def differences(self, other: Asked) -> Iterator[str]:
        """The flags in which two questions differ."""
        if self.github != other.github:
            yield "--github-server-url"
        if self.source != other.source:
            yield "--org, --installation or --repos"
        elif self.repositories != other.repositories:
            yield "the repositories in the file of --repos"
        for name, flag in _FLAGS.items():
            if getattr(self, name) != getattr(other, name):
                yield flag


_FLAGS = {
    "topics": "--topic",
    "languages": "--language",
    "archived": "--archived",
    "most_megabytes": "--max-size",
    "only": "--only",
}


def asked(options: FleetOptions) -> Asked:
    """The question of a command line. Pure."""
    source, filters = options.source, options.filters
    names = source.names if isinstance(source, Named) else ()
    return Asked(
        github=_github(options),
        source="file" if isinstance(source, Named) else _identity(options),
        repositories=tuple(sorted(name.lower() for name in names)),
        topics=tuple(sorted(filters.topics)),
        languages=tuple(sorted(filters.languages)),
        archived=filters.archived,
        most_megabytes=filters.most_megabytes,
        only=options.each.only,
    )


def store_name(options: FleetOptions) -> str:
    """The name of the folder that keeps the runs and findings of a fleet: another one for each source of each GitHub.

    A file keeps its store when its lines change, so that what was found before is still known.
    """
    return sha256(f"{_github(options)}\n{_identity(options)}".encode()).hexdigest()[:16]


def _github(options: FleetOptions) -> str:
    return options.each.settings.github_server_url.rstrip("/").lower()


def _identity(options: FleetOptions) -> str:
    match options.source:
        case Organization(name):
            return f"organization {name.lower()}"
        case Installations(only):
            return f"App {options.each.settings.app_id}, installation {only or 'all'}"
        case Named(file):
            return f"file {file.resolve()}"
