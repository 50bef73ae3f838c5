"""The options of a command line for a fleet: which repositories, and which of them are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from claude_pool_gh.service.audit.options import AuditOptions

KILOBYTES: Final = 1_000
"""Of a megabyte: GitHub counts sizes in kilobytes."""


@dataclass(frozen=True, slots=True)
class Organization:
    """The repositories of an organization, as far as the token may read them."""

    name: str

    @property
    def words(self) -> str:
        """For people."""
        return self.name


@dataclass(frozen=True, slots=True)
class Installations:
    """The repositories on which a GitHub App is installed: of one installation, or of all."""

    only: int | None = None

    @property
    def words(self) -> str:
        """For people."""
        return "every installation" if self.only is None else f"installation {self.only}"


@dataclass(frozen=True, slots=True)
class Named:
    """The repositories that a file names."""

    file: Path
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """For people."""
        return self.file.name


Source = Organization | Installations | Named


_NAME: Final = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9._-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


def checked_name(text: str) -> str:
    """The text, if it is `owner/name` as GitHub gives names: it becomes a path. Raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not OWNER/NAME")
    return text


class Found(BaseModel):
    """A repository as GitHub lists it, or one that it does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int = 0
    """0: GitHub does not have it."""
    full_name: Annotated[str, AfterValidator(checked_name)]
    installation_id: int = 0
    """0: a person's token reads it."""
    default_branch: str = ""
    kilobytes: int = 0
    archived: bool = False
    topics: tuple[str, ...] = ()
    language: str = ""
    unreadable: str = ""
    """Why it will not be read, as far as the list tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The repositories that are wanted."""

    topics: frozenset[str] = frozenset()
    """Any of them; none: all repositories."""
    languages: frozenset[str] = frozenset()
    archived: bool = False
    """Archived ones, too."""
    most_megabytes: int

    def apply(self, every: Iterable[Found]) -> tuple[list[Found], Mapping[str, int]]:
        """Those that are wanted, and how many are left out for each reason; one too large is kept, with that."""
        kept: list[Found] = []
        left_out: dict[str, int] = {}
        for each in every:
            if reason := "" if each.unreadable else self._reason(each):
                left_out[reason] = left_out.get(reason, 0) + 1
            elif each.kilobytes > self.most_megabytes * KILOBYTES:
                size = f"{each.kilobytes / KILOBYTES:.0f} MB"
                words = f"too large: {size}, above the {self.most_megabytes} MB of --max-size"
                kept.append(each.model_copy(update={"unreadable": words}))
            else:
                kept.append(each)
        return kept, left_out

    def _reason(self, each: Found) -> str:
        if each.archived and not self.archived:
            return "archived"
        if self.topics and not self.topics & {topic.lower() for topic in each.topics}:
            return "without the topic"
        if self.languages and each.language.lower() not in self.languages:
            return "in another language"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """A fleet, and how each of its repositories is audited."""

    each: AuditOptions
    """`budget_usd` of it is None: a repository costs what its configuration says, at most `most_usd`."""
    source: Source
    filters: Filters
    budget_usd: float | None
    """What all together may cost; None only where nothing is spent."""
