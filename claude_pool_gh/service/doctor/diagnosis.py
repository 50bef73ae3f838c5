"""The diagnosis of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was examined. `fix` says what to do, and is empty when it is right."""

    what: str
    found: str
    fix: str = ""
