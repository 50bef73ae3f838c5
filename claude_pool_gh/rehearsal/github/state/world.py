"""The whole state of one simulated GitHub, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool_gh.rehearsal.github.state.deliveries import Delivery
from claude_pool_gh.rehearsal.github.state.installations import Installation, Token
from claude_pool_gh.rehearsal.github.state.rates import Rates
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.site import Site


@dataclass(slots=True)
class World:
    """A site with its repositories, installations, tokens and deliveries."""

    directory: Path
    site: Site = field(default_factory=Site)
    repositories: dict[str, Repository] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    """Every token handed out and not revoked, by its secret."""
    rates: Rates = field(default_factory=Rates)
    deliveries: list[Delivery] = field(default_factory=list)
    """Every webhook, oldest first."""
    senders: list[Callable[[Delivery], None]] = field(default_factory=list)
    """Called with each delivery that is to be posted."""

    def repository(self, full_name: str) -> Repository | None:
        """The repository of that name, in any case of letters."""
        return self.repositories.get(full_name.lower())

    def repository_by_id(self, number: int) -> Repository | None:
        """The repository with that id."""
        return next((one for one in self.repositories.values() if one.id == number), None)
