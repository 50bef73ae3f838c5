"""The states of a finding, and the events that change them. `tables` writes them, as this table says."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from claude_pool_gh.pool.model.state_table import StateTable


class Standing(StrEnum):
    """The present standing of a finding."""

    open = "open"
    fixed = "fixed"
    """A run that saw the claim and the new code said so."""
    dismissed = "dismissed"
    """A person with write access said that it is none."""
    ignored = "ignored"
    """Its thread was closed with it open."""


class FindingEvent(StrEnum):
    """An event in the life of a finding."""

    fix = "fix"
    dismiss = "dismiss"
    reopen = "reopen"
    """A person took the dismissal back."""
    close_thread = "close_thread"
    reopen_thread = "reopen_thread"
    find_again = "find_again"
    """A later run asserts the same."""


FINDING: Final = StateTable(
    "finding",
    Standing.open,
    {
        (Standing.open, FindingEvent.fix): Standing.fixed,
        (Standing.open, FindingEvent.dismiss): Standing.dismissed,
        (Standing.dismissed, FindingEvent.reopen): Standing.open,
        (Standing.open, FindingEvent.close_thread): Standing.ignored,
        (Standing.fixed, FindingEvent.find_again): Standing.open,
        (Standing.ignored, FindingEvent.find_again): Standing.open,
        (Standing.ignored, FindingEvent.reopen_thread): Standing.open,
    },
)
