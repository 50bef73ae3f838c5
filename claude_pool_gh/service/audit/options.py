"""The options of a command line for audits, of one checkout or of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from claude_pool_gh.service.settings import Settings


class Form(StrEnum):
    """A form of report, by the ending of its file."""

    md = "md"
    json = "json"
    html = "html"
    sarif = "sarif"


FORMS: Final = tuple(Form)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """The part that is the same for one checkout and for many repositories."""

    settings: Settings
    audit: str
    only: tuple[str, ...]
    plan_only: bool
    slots: int | None
    """None: as the repository's configuration says."""
    budget_usd: float | None
    """For one checkout: what it may cost, and each agent run of it. None: the default, or what the configuration says,
    where that is less."""
    most_usd: float | None
    """For each repository of a fleet: the most that its configuration can ask for. None: the default."""
    model: str | None
    effort: str | None
    timeout_secs: float | None
    out: Path
    forms: tuple[Form, ...]
    as_json: bool
    state: Path | None
    """Where runs and findings are kept. None: in the usual place."""
    fresh: bool
    """Drop an unfinished run instead of resuming it."""
