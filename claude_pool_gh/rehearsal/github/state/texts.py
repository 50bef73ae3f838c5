"""Texts on GitHub, with the reactions and labels that are put on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from claude_pool_gh.rehearsal.github.state.people import App, User

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


@dataclass(frozen=True, slots=True)
class Reaction:
    """One user's one emoji on one thing."""

    id: int
    user: User
    content: str
    created_at: float


@dataclass(slots=True, eq=False)
class Label:
    """A label of the repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None
    default: bool = False


@dataclass(slots=True, eq=False)
class Written:
    """Text with an author and a time, on which others can react."""

    id: int
    author: User
    body: str
    created_at: float
    updated_at: float
    via: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    minimized: bool = False
    """A maintainer has hidden it: the page shows it folded. Only the GraphQL API tells."""
    by_mail: bool = False
